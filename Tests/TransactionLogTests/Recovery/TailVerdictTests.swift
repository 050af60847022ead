import Testing

@testable import LogFormat

@Suite("Verdict about the tail", .timeLimit(.minutes(1)))
struct TailVerdictTests {
    /// The table of `Docs/LogFormat.md`, row by row; nil means "any".
    private static let table: [(pattern: [Bool?], verdict: TailVerdict)] = [
        ([true, nil, nil, nil, nil], .cleanEnd),
        ([false, true, nil, nil, nil], .durableFrameDamaged),
        ([false, false, true, true, nil], .tornTail),
        ([false, false, true, false, nil], .bytesAfterCleanShutdown),
        ([false, false, false, nil, true], .tornTail),
        ([false, false, false, nil, false], .tailTooLarge),
    ]

    @Test func `each of the 32 combinations has the verdict of its row, and each row is reached`() {
        var reached: Set<Int> = []
        for bits in 0..<32 {
            let facts = (0..<5).map { bits & (1 << $0) != 0 }
            let rows = Self.table.indices.filter { row in
                zip(Self.table[row].pattern, facts).allSatisfy { $0 == nil || $0 == $1 }
            }
            #expect(rows.count == 1)
            reached.formUnion(rows)
            let evidence = TailEvidence(
                restIsZero: facts[0], laterFrameProvesDurable: facts[1], afterCleanShutdown: facts[2],
                fitsControlFrame: facts[3], fitsInFlight: facts[4])
            #expect(TailVerdict.of(evidence) == Self.table[rows[0]].verdict)
        }
        #expect(reached.count == Self.table.count)
        #expect(Set(Self.table.map(\.verdict)) == Set(TailVerdict.allCases))
    }
}
