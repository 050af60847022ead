import Glibc
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Crashes", .timeLimit(.minutes(10)))
    struct CrashTests {
        /// How often kv-service is killed: `TXLOG_KV_CRASH_CYCLES`, else 100.
        private static var cycles: Int { Cycles.count("TXLOG_KV_CRASH_CYCLES", else: 100) }

        @Test func `kill -9 under 16 writers and compactions loses no acknowledged write and takes back no read`()
            throws
        {
            let folder = TemporaryFolder()
            try self.kill(Self.cycles, in: folder, on: "the file system of /tmp")
        }

        @Test(
            .enabled(if: geteuid() == 0, "only root can mount file systems"),
            arguments: MountedFolder.Kind.allCases)
        func `the same on each kind of file system`(kind: MountedFolder.Kind) throws {
            try MountedFolder.require(kind)
            let folder = TemporaryFolder()
            let disk = try MountedFolder(kind, folder.file("kv"), in: folder)
            try self.kill(max(Self.cycles / 20, 5), in: folder, on: "\(kind)")
            withExtendedLifetime(disk) {}
        }

        private func kill(_ cycles: Int, in folder: TemporaryFolder, on fileSystem: String) throws {
            let seed = UInt64.random(in: 0 ... .max)
            print("crash cycles on \(fileSystem): seed \(seed), \(cycles) cycles")
            var generator = SeededGenerator(seed: seed)
            let load = CrashLoad(ledger: CrashLedger())
            let ledger = load.ledger
            var restartSeconds: [Double] = []
            var compactions = (started: 0, done: 0, cut: 0)
            for cycle in 0..<cycles {
                let started = ContinuousClock.now
                // Sometimes a compaction that is slow enough for the kill to come in the middle of it.
                let rate = Bool.random(using: &generator) ? "1MiB" : "64MiB"
                let service = try self.start(folder, compactionRate: rate)
                restartSeconds.append((ContinuousClock.now - started) / .seconds(1))
                let port = try service.waitForPort()
                try load.verify(port: port)
                let target = ledger.totals.acknowledged + Int.random(in: 1...800, using: &generator)
                let threads = load.start(on: port, seed: generator.next())
                if Bool.random(using: &generator) {
                    _ = try? HTTPConnection(port: port).request("POST", "/admin/compact", body: [])
                }
                try load.waitUntilAcknowledged(target)
                try service.crash()
                threads.join()
                let began = service.log.count { $0.string("message") == "compaction started" }
                let done = service.log.count { $0.string("message") == "compaction done" }
                compactions.started += began
                compactions.done += done
                if began > done { compactions.cut += 1 }
                #expect(!service.log.contains { $0.string("message")?.hasPrefix("compaction failed") == true })
                try #require(ledger.totals.violations == [], "cycle \(cycle), seed \(seed)")
            }
            let service = try self.start(folder, compactionRate: "64MiB")
            let port = try service.waitForPort()
            try load.verify(port: port)
            #expect(try Compaction.run(port) == nil)
            try load.verify(port: port)
            let totals = ledger.totals
            #expect(totals.violations == [])
            #expect(try service.stop() == .exited(0))
            let slowest = restartSeconds.max() ?? 0
            print(
                "crash cycles on \(fileSystem): \(cycles) kills, \(totals.acknowledged) acknowledged writes, \(totals.reads) reads,",
                "\(totals.unknown) unanswered writes of which \(totals.unknownFoundApplied) were kept,",
                "\(totals.checks) checks after restarts, \(compactions.started) compactions of which",
                "\(compactions.done) were done and \(compactions.cut) were cut short, slowest start \(slowest) s,",
                "no violation"
            )
            let once = load.once.totals
            print(
                "writes with idempotency keys: \(once.acknowledged) acknowledged, \(once.unknown) unanswered of which",
                "\(once.unknownFoundApplied) had been carried out, \(once.replays) answered again")
            #expect(once.replays > 0)
            if cycles >= 50 { #expect(compactions.done > 0 && compactions.cut > 0) }
        }

        /// Small segments and compactions, so that crashes hit every step.
        private func start(_ folder: TemporaryFolder, compactionRate: String) throws -> ServiceProcess {
            let service = try Services.startKV(
                in: folder,
                [
                    "--segment-bytes", "1MiB", "--compact-min-bytes", "1MiB", "--compact-rate", compactionRate,
                    "--log-level", "info",
                ])
            try service.waitUntilReady(port: try service.waitForPort())
            return service
        }
    }
}
