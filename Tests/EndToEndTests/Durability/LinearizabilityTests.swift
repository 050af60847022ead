import HistoryChecker
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Linearizability", .timeLimit(.minutes(10)))
    struct LinearizabilityTests {
        /// `TXLOG_KV_HISTORIES`, else 3. Each is a test of its own.
        private static var histories: Int { Cycles.count("TXLOG_KV_HISTORIES", else: 3) }
        private static let operationsPerClient = 40
        private static let kills = 4

        @Test(arguments: 0..<Self.histories)
        func `what 16 clients see through kills of both services fits one order of their operations`(
            history: Int
        ) throws {
            let seed = UInt64.random(in: 0 ... .max)
            var generator = SeededGenerator(seed: seed)
            let started = ContinuousClock.now
            let services = try Services()
            let load = HistoryLoad(
                ports: [.kvService: services.kvPort, .apiGateway: services.gatewayPort],
                operationsPerClient: Self.operationsPerClient)
            let threads = load.start(seed: seed)
            defer { load.end() }
            var (kv, gateway) = (services.kv, services.gateway!)
            let step = HistoryLoad.clients * Self.operationsPerClient / (Self.kills + 1)
            for kill in 1...Self.kills {
                let target = kill * step - Int.random(in: 0..<step, using: &generator)
                _ = try Poll.until("\(target) operations are over", seconds: 60) {
                    load.recorder.count >= target || !load.recorder.totals.faults.isEmpty ? true : nil
                }
                let both = kill == Self.kills
                if kill % 3 == 0 || both {
                    try gateway.crash()
                    gateway = try Services.startGateway(
                        in: services.folder, upstreamPort: services.kvPort, listen: "127.0.0.1:\(services.gatewayPort)")
                }
                if kill % 3 != 0 || both {
                    try kv.crash()
                    kv = try Services.startKV(in: services.folder, listen: "127.0.0.1:\(services.kvPort)")
                }
                try kv.waitUntilReady(port: kv.waitForPort())
                try gateway.waitUntilReady(port: gateway.waitForPort())
            }
            threads.join(seconds: 90)
            load.readAll()
            let recorded = ContinuousClock.now
            #expect(try [gateway.stop(), kv.stop()] == [.exited(0), .exited(0)])

            let (operations, totals) = (load.recorder.operations, load.recorder.totals)
            #expect(totals.faults == [], "seed \(seed)")
            var checker = HistoryChecker()
            let verdict = checker.check(operations)
            if case .impossible(let message) = verdict { print(message) }
            #expect(verdict == .linearizable, "seed \(seed)")
            print(
                "history \(history), seed \(seed): \(operations.count) operations,",
                "\(operations.count { $0.changed }) changes,",
                "\(operations.count { if case .refused = $0.answer { true } else { false } }) unmet conditions,",
                "\(operations.count { $0.isUnknown }) unknown, \(Self.kills + 1) kills, \(totals.repeats) repeats,",
                "\(totals.replays) replays, \(totals.refused) refused, \(checker.configurations) configurations,",
                "\((recorded - started) / .seconds(1)) s recorded,",
                "\((ContinuousClock.now - recorded) / .seconds(1)) s checked, \(verdict == .linearizable)")
            #expect(operations.count >= HistoryLoad.clients * Self.operationsPerClient)
            try self.checkThatItWouldBeSeen(operations)
        }

        /// The same history without a write that was read has no order. Its value is no number, so nothing else wrote it.
        private func checkThatItWouldBeSeen(_ operations: [HistoryOperation]) throws {
            let read = Set(operations.flatMap(\.findings).compactMap(\.found.value).filter { Int64($0) == nil })
            let write = try #require(
                operations.last { operation in
                    operation.changed
                        && operation.steps.contains {
                            if case .set(_, let value) = $0 { read.contains(value) } else { false }
                        }
                })
            var checker = HistoryChecker()
            #expect(checker.check(operations.filter { $0.id != write.id }).isImpossible)
        }
    }
}
