import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Power cuts", .timeLimit(.minutes(10)))
    struct PowerCutTests {
        /// How often the power fails: `TXLOG_KV_POWER_CUTS`, else 15.
        private static var cycles: Int { Cycles.count("TXLOG_KV_POWER_CUTS", else: 15) }

        @Test(
            .enabled(
                if: MountedFolder.ext4Refusal == nil,
                "no ext4 image can be mounted and cut off: \(MountedFolder.ext4Refusal ?? "")"),
            arguments: [MountedFolder.Kind.ext4, .xfs])
        func `a power cut under writers and compactions loses no acknowledged write`(kind: MountedFolder.Kind) throws {
            try MountedFolder.require(kind)
            let seed = UInt64.random(in: 0 ... .max)
            print("power cuts of \(kind): seed \(seed), \(Self.cycles) cycles")
            var generator = SeededGenerator(seed: seed)
            let folder = TemporaryFolder()
            let device =
                switch kind {
                // Nothing reaches the device without a sync within 10 minutes.
                case .ext4:
                    try MountedFolder(
                        ext4: folder.file("kv"), image: folder.file("image"), megabytes: 256, options: "commit=600")
                default: try MountedFolder(kind, folder.file("kv"), in: folder)
                }
            var load = CrashLoad(ledger: CrashLedger())
            load.mayFail = true
            var found: [String: Int] = [:]
            var compactions = (started: 0, done: 0)
            var tornTails = 0
            for cycle in 0..<Self.cycles {
                let service = try self.start(folder)
                let port = try service.waitForPort()
                try load.verify(port: port)
                try #require(load.ledger.totals.violations == [], "cycle \(cycle), seed \(seed)")
                let target = load.ledger.totals.acknowledged + Int.random(in: 1...800, using: &generator)
                let threads = load.start(on: port, seed: generator.next())
                if Bool.random(using: &generator) {
                    _ = try? HTTPConnection(port: port).request("POST", "/admin/compact", body: [])
                }
                try load.waitUntilAcknowledged(target)
                try device.cutPower()
                try service.crash()
                threads.join()
                compactions.started += service.log.count { $0.string("message") == "compaction started" }
                compactions.done += service.log.count { $0.string("message") == "compaction done" }
                tornTails += service.log.count { $0.string("message")?.contains("unfinished frame") == true }
                try device.unmount()
                try device.mount()
                for name in try LogFolder(path: folder.file("kv")).leftovers() {
                    found[String(name.split(separator: ".").dropFirst().joined(separator: ".")), default: 0] += 1
                }
            }
            let service = try self.start(folder)
            let port = try service.waitForPort()
            try load.verify(port: port)
            #expect(try Compaction.run(port) == nil)
            try load.verify(port: port)
            #expect(try service.stop() == .exited(0))
            let totals = load.ledger.totals
            #expect(totals.violations == [])
            print(
                "power cuts of \(kind): \(Self.cycles) cuts, \(totals.acknowledged) acknowledged writes, \(totals.reads) reads,",
                "\(totals.unknown) unanswered writes of which \(totals.unknownFoundApplied) were kept,",
                "\(totals.checks) checks after restarts, \(compactions.started) compactions of which",
                "\(compactions.done) were done, \(tornTails) torn tails, files that the MANIFEST did not list: \(found),",
                "no violation")
        }

        /// The root of the image contains `lost+found`, which does not belong to the log and is ignored.
        private func start(_ folder: TemporaryFolder) throws -> ServiceProcess {
            let service = try Services.startKV(
                in: folder,
                ["--segment-bytes", "1MiB", "--compact-min-bytes", "1MiB", "--compact-rate", "4MiB"])
            try service.waitUntilReady(port: try service.waitForPort())
            return service
        }
    }
}
