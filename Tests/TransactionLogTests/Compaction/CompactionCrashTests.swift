import SimulatedStorage
import TestSupport
import Testing

@testable import LogFormat
@testable import TransactionLog

/// Commits with concurrent compactions, on a machine that dies at each system call in turn.
///
/// Four threads make calls, so that two runs differ in the order of theirs; what must hold after a crash does not
/// depend on it: records and receipts are those after some prefix of the transactions, at or past the last acknowledged
/// one.
@Suite("Compaction: crash at every system call", .timeLimit(.minutes(5)))
struct CompactionCrashTests {
    struct Workload {
        let transactions: [Transaction]
        let configuration: LogConfiguration

        init(seed: UInt64) {
            var generator = SeededGenerator(seed: seed)
            var keys: Set<[UInt8]> = []
            var configuration = CompactionTests.configuration(segmentBytes: 4_096)
            configuration.queueLimit = 1_000
            self.configuration = configuration
            self.transactions = (0..<40).map { number in
                // Deletes are of existing keys, so that each transaction has a revision.
                var transaction: Transaction = []
                if keys.count > 4, generator.chance(0.25),
                    let key = keys.sorted(by: Self.isBefore).randomElement(using: &generator)
                {
                    keys.remove(key)
                    transaction = [.delete(key)]
                }
                if transaction.isEmpty || generator.chance(0.2) {
                    let key = Array("key \(Int.random(in: 0..<14, using: &generator))".utf8)
                    let value = generator.bytes(Int.random(in: 0...400, using: &generator))
                    keys.insert(key)
                    transaction.append(.set(key, Array("\(number)".utf8) + value))
                }
                if generator.chance(0.2) {
                    let key = Array("session \(Int.random(in: 0..<4, using: &generator))".utf8)
                    transaction.append(.setExpiring(key, Array("\(number)".utf8), UInt64(number + 1)))
                }
                return generator.chance(0.6) ? transaction.withReceipt(number) : transaction
            }
        }

        private static func isBefore(_ left: [UInt8], _ right: [UInt8]) -> Bool {
            left.lexicographicallyPrecedes(right)
        }

        /// What is there after this many transactions.
        func contents(after count: Int) -> DictionaryClient.Contents {
            var contents = DictionaryClient.Contents()
            for (index, transaction) in self.transactions[..<count].enumerated() {
                contents.apply(transaction, UInt64(index + 1))
            }
            return contents
        }

        /// - Returns: how many transactions were acknowledged, and how many compactions succeeded.
        func run(on fileSystem: SimulatedFileSystem) -> (acknowledged: Int, compactions: Int) {
            let observer = RecordingObserver()
            guard let open = try? OpenLog(fileSystem, self.configuration, observer: observer, keepsHistory: false)
            else {
                return (0, 0)
            }
            defer { open.log.close() }
            var acknowledged = 0
            var compactions = 0
            var waiting = false
            for (number, transaction) in self.transactions.enumerated() {
                if number % 12 == 5, !waiting { waiting = open.log.compact() != nil }
                if number % 12 == 10, waiting {
                    waiting = false
                    if observer.waitForCompaction()?.error == nil { compactions += 1 }
                }
                if case .committed? = open.commit(transaction) { acknowledged += 1 }
                if fileSystem.isDead { break }
            }
            return (acknowledged, compactions)
        }
    }

    @Test(arguments: 0..<3 as Range<UInt64>)
    func `what is recovered is a prefix at or past the last acknowledgement`(workloadSeed: UInt64) throws {
        let workload = Workload(seed: workloadSeed)
        let whole = SimulatedFileSystem()
        let result = workload.run(on: whole)
        #expect(result.acknowledged == workload.transactions.count && result.compactions == 3)
        var crashes = 0
        var (withParts, withCopies) = (0, 0)
        // Every call of the first workload, some of the others.
        for call in stride(from: 1, through: whole.callCount, by: workloadSeed == 0 ? 1 : 13) {
            let fileSystem = SimulatedFileSystem()
            fileSystem.die(atCall: call)
            let acknowledged = workload.run(on: fileSystem).acknowledged
            for seed in 0..<4 as Range<UInt64> {
                let crashSeed = UInt64(call) << 8 | seed
                let crashed = seed == 0 ? fileSystem.kill() : fileSystem.crash(seed: crashSeed)
                let place = Comment("workload \(workloadSeed), call \(call), crash \(crashSeed)")
                do {
                    let recovered = try RecoveredState(crashed, workload.configuration)
                    crashes += 1
                    if recovered.report.space.parts.contains(where: { $0.entries > 0 }) { withParts += 1 }
                    #expect(recovered.report.cutFile == nil, place)
                    let count = Int(recovered.report.lastRevision)
                    #expect(count >= acknowledged, place)
                    let expected = workload.contents(after: count)
                    #expect(recovered.records == expected.records, place)
                    #expect(recovered.contents == expected, place)
                    let base = recovered.report.space.segments.first?.name.firstRevision ?? 1
                    if recovered.contents.receipts.values.contains(where: { $0.revision < base }) { withCopies += 1 }
                    let later = try RecoveredState(crashed.crash(seed: crashSeed + 1), workload.configuration)
                    #expect(later.contents == recovered.contents, place)
                    if seed == 1 { try Self.goOn(crashed, recovered, workload, place) }
                } catch {
                    Issue.record("\(place): \(error)")
                }
            }
        }
        print(
            "workload \(workloadSeed): \(whole.callCount) calls, \(crashes) crashes, \(withParts) with a snapshot,",
            "\(withCopies) with receipts of segments that are gone")
        #expect(withParts > crashes / 4 && withCopies > crashes / 5)
    }

    /// After a recovery the log accepts commits and compacts, and a further start finds exactly that.
    private static func goOn(
        _ crashed: SimulatedFileSystem, _ recovered: RecoveredState, _ workload: Workload, _ place: Comment
    ) throws {
        let observer = RecordingObserver()
        let open = try OpenLog(crashed, workload.configuration, observer: observer, keepsHistory: false)
        open.commit([.set("one more", "a")])
        #expect(try CompactionTests.compact(open, observer).error == nil, place)
        CompactionTests.checkLive(open)
        open.log.close()
        let again = try RecoveredState(crashed.crash(seed: 7), workload.configuration)
        #expect(again.records.count == recovered.records.count + 1, place)
        #expect(recovered.records.allSatisfy { again.records[$0.key] == $0.value }, place)
        #expect(again.contents.receipts == recovered.contents.receipts, place)
    }

    @Test func `a recovery with a snapshot that is interrupted at any call can be repeated`() throws {
        let workload = Workload(seed: 5)
        let whole = SimulatedFileSystem()
        _ = workload.run(on: whole)
        var interruptions = 0
        for call in stride(from: 40, through: whole.callCount, by: 23) {
            let fileSystem = SimulatedFileSystem()
            fileSystem.die(atCall: call)
            _ = workload.run(on: fileSystem)
            let crashed = fileSystem.crash(seed: UInt64(call))
            let expected = try RecoveredState(crashed.kill(), workload.configuration).contents
            for step in 1... {
                let interrupted = crashed.kill()
                interrupted.die(atCall: step)
                do {
                    _ = try RecoveredState(interrupted, workload.configuration)
                    if !interrupted.isDead { break }
                } catch {}
                let again = try RecoveredState(interrupted.crash(seed: UInt64(step)), workload.configuration)
                #expect(again.contents == expected, "call \(call), step \(step)")
                interruptions += 1
            }
        }
        print("\(interruptions) interrupted recoveries")
        #expect(interruptions > 100)
    }
}
