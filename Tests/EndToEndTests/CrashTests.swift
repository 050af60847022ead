import Glibc
import Synchronization
import Testing

extension EndToEnd {
    @Suite("Crashes")
    struct Crashes {
        private static let writers = 16
        private static let readers = 4
        private static let keysPerWriter = 24

        /// How often kv-service is killed: `TXLOG_KV_CRASH_CYCLES`, else 10.
        private static var cycles: Int {
            getenv("TXLOG_KV_CRASH_CYCLES").flatMap { Int(String(cString: $0)) } ?? 10
        }

        @Test func `kill -9 under 16 writers loses no acknowledged write and takes back no read`() throws {
            let seed = UInt64.random(in: 0 ... .max)
            print("crash cycles: seed \(seed), \(Self.cycles) cycles")
            var generator = SeededGenerator(seed: seed)
            let folder = try TemporaryFolder()
            let ledger = CrashLedger()
            var restartSeconds: [Double] = []
            for cycle in 0..<Self.cycles {
                let started = ContinuousClock.now
                let service = try self.start(folder)
                restartSeconds.append((ContinuousClock.now - started) / .seconds(1))
                let port = try service.waitForPort()
                try self.verify(ledger, port: port)
                let target = ledger.totals.acknowledged + Int.random(in: 1...800, using: &generator)
                let threads = self.startLoad(on: port, ledger: ledger, seed: generator.next())
                _ = try Poll.until("cycle \(cycle): \(target) writes are acknowledged", seconds: 60) {
                    ledger.totals.acknowledged >= target || !ledger.totals.violations.isEmpty ? true : nil
                }
                try service.crash()
                threads.join()
                try #require(ledger.totals.violations == [], "cycle \(cycle), seed \(seed)")
            }
            let service = try self.start(folder)
            try self.verify(ledger, port: try service.waitForPort())
            let totals = ledger.totals
            #expect(totals.violations == [])
            #expect(try service.stop() == .exited(0))
            let slowest = restartSeconds.max() ?? 0
            print(
                "crash cycles: \(Self.cycles) kills, \(totals.acknowledged) acknowledged writes, \(totals.reads) reads,",
                "\(totals.unknown) unanswered writes of which \(totals.unknownFoundApplied) were kept,",
                "\(totals.checks) checks after restarts, slowest start \(slowest) s, no violation"
            )
        }

        /// Small segments, so that crashes meet every step of their life.
        private func start(_ folder: TemporaryFolder) throws -> ServiceProcess {
            let service = try Services.startKV(in: folder, ["--segment-bytes", "1MiB", "--log-level", "info"])
            try service.waitUntilReady(port: try service.waitForPort())
            return service
        }

        private func verify(_ ledger: CrashLedger, port: UInt16) throws {
            let client = try KeyValueClient(port: port, through: .kvService)
            for key in ledger.keys {
                let answer = try client.getRaw(Array(key.utf8))
                switch answer.status {
                case 200: ledger.check(key, value: answer.body)
                case 404: ledger.check(key, value: nil)
                default: ledger.violate("GET of \(key) after a restart answered \(answer.status): \(answer.text)")
                }
            }
        }

        private func startLoad(on port: UInt16, ledger: CrashLedger, seed: UInt64) -> Threads {
            let threads = Threads()
            let highest = ledger.totals.highestVersion
            for writer in 0..<Self.writers {
                threads.start {
                    var generator = SeededGenerator(seed: seed &+ UInt64(writer))
                    Self.write(as: writer, port: port, after: highest, into: ledger, generator: &generator)
                }
            }
            for reader in 0..<Self.readers {
                threads.start {
                    var generator = SeededGenerator(seed: seed &+ 1_000 &+ UInt64(reader))
                    Self.read(port: port, into: ledger, generator: &generator)
                }
            }
            return threads
        }

        /// Sets and deletes its own keys until the connection breaks.
        private static func write(
            as writer: Int,
            port: UInt16,
            after highest: Int,
            into ledger: CrashLedger,
            generator: inout SeededGenerator
        ) {
            guard let client = try? KeyValueClient(port: port, through: .kvService) else { return }
            var version = highest
            while true {
                let key = "w\(writer)k\(Int.random(in: 0..<Self.keysPerWriter, using: &generator))"
                let operation = ledger.begin(key, deletes: Int.random(in: 0..<5, using: &generator) == 0)
                let bytes = Array(key.utf8)
                let value = CrashLedger.value(of: key, number: operation.number)
                guard let answer = try? operation.deletes ? client.delete(bytes) : client.set(bytes, value) else {
                    return
                }
                let json = try? answer.json
                switch answer.status {
                case 200:
                    let wrote = json?.bool("deleted") != false
                    ledger.acknowledge(
                        key, operation, version: wrote ? json?.integer("version") : nil, previous: &version)
                case _ where json?.string("applied") == "no":
                    ledger.refuse(key, operation)
                default:
                    ledger.violate("a write was answered \(answer.status): \(answer.text)")
                    return
                }
            }
        }

        private static func read(port: UInt16, into ledger: CrashLedger, generator: inout SeededGenerator) {
            guard let client = try? KeyValueClient(port: port, through: .kvService) else { return }
            while true {
                let writer = Int.random(in: 0..<Self.writers, using: &generator)
                let key = "w\(writer)k\(Int.random(in: 0..<Self.keysPerWriter, using: &generator))"
                let floor = ledger.floor(of: key)
                guard let answer = try? client.getRaw(Array(key.utf8)) else { return }
                switch answer.status {
                case 200: ledger.noteRead(key, value: answer.body, floor: floor)
                case 404: ledger.noteRead(key, value: nil, floor: floor)
                default:
                    ledger.violate("a read was answered \(answer.status): \(answer.text)")
                    return
                }
            }
        }
    }
}
