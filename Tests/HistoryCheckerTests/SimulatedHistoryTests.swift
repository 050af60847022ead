import HistoryChecker
import TestSupport
import Testing

/// Histories of a simulated store: those of a right one are accepted, and those of one that errs are not.
@Suite("Histories of a simulated store", .timeLimit(.minutes(2)))
struct SimulatedHistoryTests {
    @Test(arguments: [true, false])
    func `every history of a right store is accepted`(hasRevisions: Bool) {
        var seeds = SeededGenerator(printingFor: "right histories")
        for _ in 0..<60 {
            let seed = seeds.next()
            let history = SimulatedStore.history(
                seed: seed, clients: 6, operations: hasRevisions ? 200 : 60, hasRevisions: hasRevisions, fault: nil)
            var checker = HistoryChecker()
            let verdict = checker.check(history.operations)
            #expect(verdict == .linearizable, "seed \(seed)")
        }
    }

    /// In a few of them, an operation whose answer never came explains what was seen.
    @Test(arguments: SimulatedStore.Fault.allCases)
    func `histories of a store that errs once are rejected`(fault: SimulatedStore.Fault) {
        var seeds = SeededGenerator(printingFor: "\(fault)")
        var (wrong, rejected, undecided) = (0, 0, 0)
        for _ in 0..<40 {
            let history = SimulatedStore.history(
                seed: seeds.next(), clients: 6, operations: 120, hasRevisions: true, fault: fault)
            guard history.isWrong else { continue }
            wrong += 1
            var checker = HistoryChecker()
            switch checker.check(history.operations) {
            case .impossible: rejected += 1
            case .undecided: undecided += 1
            case .linearizable: break
            }
        }
        print("\(fault): \(wrong) wrong histories, \(rejected) rejected, \(undecided) undecided")
        #expect(wrong >= 20 && rejected * 10 >= wrong * 8 && undecided == 0)
    }
}
