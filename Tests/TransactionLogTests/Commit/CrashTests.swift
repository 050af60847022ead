import SimulatedStorage
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

@Suite("Crash at every system call", .timeLimit(.minutes(5)))
struct CrashTests {
    @Test func `a workload makes the same calls each time`() {
        let workload = CrashWorkload(seed: 1)
        let first = workload.run()
        let second = workload.run()
        #expect(first.acknowledged == workload.transactions.count)
        #expect(first.fileSystem.calls == second.fileSystem.calls)
        #expect(first.fileSystem.calls.count { $0.kind == .rename && $0.path.hasSuffix(".prepared") } > 3)
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `what is recovered is a prefix at or past the last acknowledgement`(workloadSeed: UInt64) throws {
        let workload = CrashWorkload(seed: workloadSeed)
        let transactions = workload.transactions
        let calls = workload.run().fileSystem.callCount
        var crashes = 0
        var torn = 0
        for call in 1...calls {
            let run = workload.run(dyingAtCall: call)
            #expect(run.fileSystem.isDead)
            for seed in 0..<8 as Range<UInt64> {
                let crashSeed = UInt64(call) << 8 | seed
                let crashed = seed == 0 ? run.fileSystem.kill() : run.fileSystem.crash(seed: crashSeed)
                let where_ = Comment("workload \(workloadSeed), call \(call), crash \(crashSeed)")
                do {
                    let recovered = try Recovered(crashed, workload.configuration)
                    crashes += 1
                    if recovered.report.tornTail != nil { torn += 1 }
                    #expect(recovered.report.cutFile == nil, where_)
                    let count = recovered.transactions.count
                    #expect(count >= run.acknowledged, where_)
                    #expect(recovered.transactions == Array(transactions.prefix(count)), where_)
                    // Data that was served once does not disappear with the next power cut.
                    let later = try Recovered(crashed.crash(seed: crashSeed + 1), workload.configuration)
                    #expect(later.transactions == recovered.transactions, where_)
                    if seed < 3 { try Self.goOn(crashed, recovered.transactions, workload, crashSeed, where_) }
                } catch {
                    Issue.record("\(where_): \(error)")
                }
            }
        }
        print("workload \(workloadSeed): \(calls) calls, \(crashes) crashes, \(torn) torn tails")
        #expect(torn > 0)
    }

    /// After a recovery the log accepts commits, moves to a further segment, and survives the next power cut.
    private static func goOn(
        _ crashed: SimulatedFileSystem, _ transactions: [Transaction], _ workload: CrashWorkload, _ seed: UInt64,
        _ comment: Comment
    ) throws {
        var maker = try LogMaker(crashed, workload.configuration)
        #expect(maker.transactions == transactions, comment)
        try maker.write(numbered(1001))
        try maker.rotate()
        try maker.write(numbered(1002), numbered(1003))
        let again = try Recovered(crashed.crash(seed: seed), workload.configuration)
        #expect(again.transactions == transactions + [numbered(1001), numbered(1002), numbered(1003)], comment)
    }

    @Test(arguments: [1] as [UInt64])
    func `a recovery that is interrupted at any call can be repeated`(workloadSeed: UInt64) throws {
        let workload = CrashWorkload(seed: workloadSeed)
        let calls = workload.run().fileSystem.callCount
        var interruptions = 0
        for call in 1...calls {
            let run = workload.run(dyingAtCall: call)
            let seed = UInt64(call)
            let crashed = run.fileSystem.crash(seed: seed)
            let expected = try Recovered(crashed.kill(), workload.configuration).transactions
            for step in 1... {
                let interrupted = crashed.kill()
                interrupted.die(atCall: step)
                do {
                    _ = try Recovered(interrupted, workload.configuration)
                    if !interrupted.isDead { break }
                } catch {}
                interruptions += 1
                let again = interrupted.crash(seed: seed << 8 | UInt64(step))
                let recovered = try Recovered(again, workload.configuration)
                #expect(recovered.transactions == expected, "workload \(workloadSeed), call \(call), step \(step)")
            }
        }
        print("workload \(workloadSeed): \(interruptions) interrupted recoveries")
        #expect(interruptions > calls * 8)
    }

    @Test func `a creation that is interrupted at any call leaves a folder that opens empty`() throws {
        for call in 1... {
            let fileSystem = SimulatedFileSystem()
            fileSystem.die(atCall: call)
            do {
                _ = try Recovered(fileSystem)
                if !fileSystem.isDead { break }
            } catch {}
            for seed in 0..<20 as Range<UInt64> {
                let crashed = seed == 0 ? fileSystem.kill() : fileSystem.crash(seed: seed)
                var maker = try LogMaker(crashed)
                #expect(maker.transactions == [])
                #expect(maker.chain.header.sequence == 1)
                try maker.write(numbered(1))
                #expect(try Recovered(crashed.crash(seed: seed)).transactions == [numbered(1)])
            }
        }
    }

    @Test func `a failed call of any kind while opening is said and harms nothing`() throws {
        var maker = try LogMaker()
        for number in 1...3 { try maker.write(numbered(number)) }
        // The recovery with the most steps: a torn tail is copied, cut, sealed and followed by a new segment.
        let torn = maker.fileSystem.kill()
        torn.patch(maker.segmentPath, at: Int(maker.chain.offset), [1, 2, 3])
        let probe = torn.kill()
        _ = try Recovered(probe)
        for kind in Set(probe.calls.map(\.kind)) {
            for index in 0..<probe.calls.count(where: { $0.kind == kind }) {
                let fileSystem = torn.kill()
                fileSystem.inject(.error(5), on: kind, skipping: index)
                do {
                    _ = try Recovered(fileSystem)
                    Issue.record("\(kind) \(index) was not noticed")
                } catch {
                    guard case .system(let error) = error, error.code == 5 else {
                        Issue.record("\(kind) \(index): \(error)")
                        continue
                    }
                }
                for seed in 0..<10 as Range<UInt64> {
                    let after = seed == 0 ? fileSystem.kill() : fileSystem.crash(seed: seed)
                    #expect(try Recovered(after).transactions == maker.transactions, "\(kind) \(index)")
                }
            }
        }
    }
}
