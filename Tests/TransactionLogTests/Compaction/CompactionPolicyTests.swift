import Testing

@testable import LogFormat
@testable import TransactionLog

@Suite("Compaction: what starts one", .timeLimit(.minutes(1)))
struct CompactionPolicyTests {
    private func space(size: UInt64, live: UInt64, sealed: Bool = false) -> LogSpace {
        var space = LogSpace()
        let name = SegmentName(sequence: 1, firstRevision: 1)
        space.begin(segment: .init(name: name, sizeBytes: size, lastRevision: 9, sealed: sealed))
        space.apply(LiveChange(revision: 1, bytes: Int(live)))
        return space
    }

    @Test func `garbage, size and the time of a replay each start one, at their bounds`() {
        var policy = CompactionPolicy()
        policy.minBytes = 1_000
        policy.garbageRatio = 0.5
        func trigger(size: UInt64, live: UInt64, rate: Double = 1e9) -> CompactionTrigger? {
            policy.trigger(for: self.space(size: size, live: live), replayBytesPerSecond: rate)
        }
        #expect(trigger(size: 1_000, live: 500) == .garbage)
        #expect(trigger(size: 999, live: 0) == nil)
        #expect(trigger(size: 1_000, live: 501) == nil)
        #expect(trigger(size: 0, live: 0) == nil)
        policy.maxBytes = 2_000
        #expect(trigger(size: 2_001, live: 1_800) == .size)
        #expect(trigger(size: 2_000, live: 1_800) == nil)
        #expect(trigger(size: 2_001, live: 1_900) == nil, "almost nothing would be given back")
        policy.maxBytes = 0
        // On a full disk a quarter of what a further segment takes is worth the work. The active segment's own garbage
        // counts if there is a file to go on in.
        var full = self.space(size: 10_000, live: 3_000)
        func triggerWhenFull(canSeal: Bool = false) -> CompactionTrigger? {
            policy.trigger(
                for: full, isOutOfSpace: true, canSeal: canSeal, segmentBytes: 4 * 2_904, replayBytesPerSecond: 1e9)
        }
        policy.minBytes = .max
        #expect(triggerWhenFull() == nil)
        #expect(triggerWhenFull(canSeal: true) == .diskFull)
        full.update(at: full.segments.count - 1, sizeBytes: 10_000, lastRevision: 9, sealed: true)
        #expect(triggerWhenFull() == .diskFull)
        full.apply(LiveChange(revision: 1, bytes: 1))
        #expect(triggerWhenFull() == nil)
        // Less is worth it where no more is missing for the next segment; but not for next to nothing.
        let large = self.space(size: 100_000, live: 60_000, sealed: true)
        for (missing, trigger) in [(nil, nil), (35_904, .diskFull), (35_905, nil), (1, .diskFull)]
            as [(UInt64?, CompactionTrigger?)]
        {
            #expect(
                policy.trigger(
                    for: large, isOutOfSpace: true, missingBytes: missing, segmentBytes: 1 << 20,
                    replayBytesPerSecond: 1e9) == trigger)
        }
        #expect(
            policy.trigger(
                for: self.space(size: 76_479, live: 60_000, sealed: true), isOutOfSpace: true, missingBytes: 1,
                segmentBytes: 1 << 20, replayBytesPerSecond: 1e9) == nil)
        policy.minBytes = 1_000
        #expect(trigger(size: 2_001, live: 1_800, rate: 100) == .replayTime)
        #expect(trigger(size: 2_001, live: 1_800, rate: 1_000) == nil)
    }

    @Test func `the throttle keeps to its rate, and to less while commits are slow`() {
        var throttle = CompactionThrottle(bytesPerSecond: 1_000_000, commitNanoseconds: 1_000_000, now: 0)
        #expect(throttle.wrote(500_000, commitNanoseconds: 1_000_000, now: 0) == 500_000_000)
        #expect(throttle.wrote(500_000, commitNanoseconds: 2_000_000, now: 500_000_000) == 500_000_000)
        // Time without writing is not made up for.
        #expect(throttle.wrote(500_000, commitNanoseconds: 0, now: 9_000_000_000) == 500_000_000)
        for _ in 0..<20 { _ = throttle.wrote(1, commitNanoseconds: 2_000_001, now: 10_000_000_000) }
        #expect(throttle.rate == 62_500)
        for _ in 0..<60 { _ = throttle.wrote(1, commitNanoseconds: 1_000_000, now: 10_000_000_000) }
        #expect(throttle.rate == 1_000_000)
        var quick = CompactionThrottle(bytesPerSecond: 1_000_000, commitNanoseconds: 10, now: 0)
        _ = quick.wrote(1, commitNanoseconds: 500_000, now: 0)
        #expect(quick.rate == 1_000_000, "half a millisecond is quick, whatever it was before")
    }
}
