import Testing

@testable import LogFormat
@testable import TransactionLog

@Suite("Compaction: what is taken on where there is little space", .timeLimit(.minutes(1)))
struct CompactionPlanTests {
    private static let costs = CompactionPlan.Costs(partBytes: 1_000, frameBytes: 100, spareBytes: 0)

    /// Three sealed segments and the active one, with 2,000, 1,000, 4,000 and 500 live bytes.
    private static var space: LogSpace {
        var space = LogSpace()
        for (index, live) in [2_000, 1_000, 4_000, 500].enumerated() {
            let first = UInt64(index * 10 + 1)
            space.begin(
                segment: .init(
                    name: SegmentName(sequence: UInt64(index + 1), firstRevision: first), sizeBytes: 10_000,
                    lastRevision: first + 9, sealed: index < 3))
            space.apply(LiveChange(revision: first, bytes: live))
        }
        return space
    }

    private static func plan(
        _ availableBytes: UInt64, countsActive: Bool = false, _ space: LogSpace = Self.space
    ) throws(CompactionFailure) -> CompactionPlan {
        try .largest(for: space, availableBytes: availableBytes, countsActive: countsActive, Self.costs)
    }

    @Test func `as many of the oldest segments as there is space for`() throws {
        // Their live bytes and one part with its last frame, a tenth more, headers, and the manifest.
        for (available, upTo, live) in [
            (36_562, 10, 2_000), (41_853, 10, 2_000), (41_854, 20, 3_000), (63_021, 20, 3_000), (63_022, 30, 7_000),
            (1 << 40, 30, 7_000),
        ] as [(UInt64, UInt64, UInt64)] {
            let plan = try Self.plan(available)
            #expect(plan.upTo == upTo && plan.liveBytes == live && !plan.takesActive, "\(available)")
            #expect(plan.neededBytes <= available)
        }
        #expect(throws: CompactionFailure.self) { try Self.plan(36_561) }
    }

    @Test func `with nothing sealed and nothing to follow the active segment, that is what is said`() throws {
        var space = LogSpace()
        space.begin(
            segment: .init(
                name: SegmentName(sequence: 1, firstRevision: 1), sizeBytes: 10_000, lastRevision: 9, sealed: false))
        do {
            _ = try Self.plan(1 << 40, space)
            Issue.record("there is nothing to take on")
        } catch {
            guard case .noSegment = error else { throw error }
            #expect(!"\(error)".contains("bytes"))
        }
    }

    @Test func `the active segment comes last, and is to be sealed`() throws {
        #expect(try Self.plan(63_571, countsActive: true).upTo == 30)
        let all = try Self.plan(63_572, countsActive: true)
        #expect(all.upTo == 40 && all.takesActive && all.liveBytes == 7_500)
    }

    @Test func `the garbage of the snapshot alone is worth a run once it is as large as a part`() throws {
        for (bytes, isWorthIt) in [(5_288, true), (5_287, false)] as [(UInt64, Bool)] {
            var space = Self.space
            let name = PartName(upTo: 5, number: 1)
            space.set(parts: [.init(name: name, entries: 9, lengthBytes: bytes, endChecksum: 0)])
            space.apply(LiveChange(revision: 0, bytes: 96))
            if isWorthIt {
                let plan = try Self.plan(20_681, space)
                #expect(plan.upTo == 0 && plan.liveBytes == 96)
                #expect(throws: CompactionFailure.self) { try Self.plan(20_680, space) }
            } else {
                #expect(throws: CompactionFailure.self) { try Self.plan(20_681, space) }
                var costs = Self.costs
                costs.worthwhileSnapshotBytes = 999
                let plan = try CompactionPlan.largest(
                    for: space, availableBytes: 20_681, countsActive: false, costs)
                #expect(plan.upTo == 0, "on a full disk less is worth it")
            }
        }
    }
}
