import Glibc
import TestSupport
import Testing

extension EndToEnd {
    /// kv-service ends itself before each numbered step of a compaction and of a move to the next segment.
    @Suite(
        "Crashes at each step of compaction and rotation",
        .enabled(if: getenv("TXLOG_KV_PROGRAMS") == nil, "only the debug build beside the tests has fail points"),
        .timeLimit(.minutes(10)))
    struct StepCrashTests {
        private static let steps = (1...7).map { "compaction:\($0)" } + (1...3).map { "rotation:\($0)" }
        private static let small = ["--segment-bytes", "1MiB"]

        /// The remains of an interrupted step, by the end of the file name; empty where there may be none.
        private static let remains = [
            "compaction:3": ".snapshot.tmp", "compaction:4": ".snapshot", "compaction:7": ".log",
            "rotation:3": ".log",
        ]

        @Test func `every start recovers, cleans up and compacts`() throws {
            let seed = UInt64.random(in: 0 ... .max)
            print("step crashes: seed \(seed)")
            var generator = SeededGenerator(seed: seed)
            let folder = TemporaryFolder()
            let load = CrashLoad(ledger: CrashLedger(), writers: 8, readers: 2, keysPerWriter: 140)
            // More than one part, and parts of an earlier run that the next one replaces.
            var filling = load
            (filling.readers, filling.operationsPerWriter) = (0, 500)
            try self.recover(folder, load, after: "nothing") { port in
                filling.start(on: port, seed: generator.next()).join()
            }
            for step in Self.steps {
                let service = try Services.startKV(
                    in: folder, Self.small + (step.hasPrefix("rotation") ? Compaction.onlyWhenAsked : []),
                    environment: ["KV_FAIL_POINT": step])
                let port = try service.waitForPort()
                try service.waitUntilReady(port: port)
                let acknowledged = load.ledger.totals.acknowledged
                let threads = load.start(on: port, seed: generator.next())
                if step.hasPrefix("compaction") {
                    try load.waitUntilAcknowledged(acknowledged + 300)
                    // The process may end before it answers.
                    _ = try? Compaction.ask(port)
                }
                let ending = try service.child.waitForEnd(seconds: 60)
                threads.join()
                #expect(ending == .killed(signal: SIGKILL), "\(step)")
                let left = try LogFolder(path: folder.file("kv")).leftovers()
                print("before \(step): left \(left)")
                if let expected = Self.remains[step] {
                    #expect(left.contains { $0.hasSuffix(expected) }, "before \(step)")
                }
                try self.recover(folder, load, after: step) { _ in }
            }
            let totals = load.ledger.totals
            print(
                "step crashes: \(Self.steps.count) kills, \(totals.acknowledged) acknowledged writes,",
                "\(totals.checks) checks, \(totals.unknownFoundApplied) of \(totals.unknown) unanswered writes were kept"
            )
        }

        /// A start, the check of all keys before and after a compaction, and a clean stop.
        private func recover(
            _ folder: TemporaryFolder, _ load: CrashLoad, after step: String, then work: (UInt16) throws -> Void
        ) throws {
            let place = Comment("after \(step)")
            let logFolder = LogFolder(path: folder.file("kv"))
            let service = try Services.startKV(in: folder, Self.small + Compaction.onlyWhenAsked)
            let port = try service.waitForPort()
            try service.waitUntilReady(port: port)
            #expect(try logFolder.leftovers(isRunning: true) == [], place)
            try load.verify(port: port)
            try work(port)
            #expect(try Compaction.run(port) == nil, place)
            #expect(try service.stop() == .exited(0), place)
            #expect(try logFolder.leftovers() == [], place)
            let again = try Services.startKV(in: folder, Self.small + Compaction.onlyWhenAsked)
            let secondPort = try again.waitForPort()
            try again.waitUntilReady(port: secondPort)
            try load.verify(port: secondPort)
            try #require(load.ledger.totals.violations == [], place)
            #expect(try again.stop() == .exited(0), place)
        }
    }
}
