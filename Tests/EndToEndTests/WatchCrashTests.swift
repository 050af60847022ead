import TestSupport
import Testing

extension EndToEnd {
    @Suite("Watching through crashes", .timeLimit(.minutes(10)))
    struct WatchCrashTests {
        /// How often each of the two services is killed: `TXLOG_KV_WATCH_KILLS`, else 4.
        private static var kills: Int { Cycles.count("TXLOG_KV_WATCH_KILLS", else: 4) }

        private static let watchers: [WatchLoad.Watcher] = Front.allCases.flatMap { front in
            [
                .init(front: front), .init(front: front, prefix: "a/"), .init(front: front, prefix: "session/"),
                .init(front: front, polls: true), .init(front: front, prefix: "b/", polls: true),
            ]
        }

        @Test
        func
            `clients that reconnect through kills of both services see every change once, in order, transactions whole`()
            throws
        {
            let seed = UInt64.random(in: 0 ... .max)
            print("watching through crashes: seed \(seed)")
            var generator = SeededGenerator(seed: seed)
            let started = ContinuousClock.now
            let services = try Services()
            var (kv, gateway) = (services.kv, services.gateway!)
            let load = WatchLoad(
                ports: [.kvService: services.kvPort, .apiGateway: services.gatewayPort], watchers: Self.watchers)
            let watchers = load.startWatchers()
            let writers = load.startWriters(seed: generator.next())
            var kills = (kv: 0, gateway: 0)
            while kills.kv < Self.kills || kills.gateway < Self.kills {
                // Some of the clients have come so far, others are behind.
                let target = load.newest + UInt64.random(in: 1...120, using: &generator)
                let count = Int.random(in: 1...Self.watchers.count, using: &generator)
                _ = try Poll.until("\(count) watchers have seen revision \(target)", seconds: 60) {
                    load.progress.count { $0 >= target } >= count || !load.faults.isEmpty ? true : nil
                }
                if !load.faults.isEmpty { break }
                let both = generator.chance(0.2)
                if kills.gateway < Self.kills, both || kills.gateway <= kills.kv {
                    kills.gateway += 1
                    try gateway.crash()
                    gateway = try Services.startGateway(
                        in: services.folder, upstreamPort: services.kvPort, listen: "127.0.0.1:\(services.gatewayPort)")
                }
                if kills.kv < Self.kills, both || kills.kv < kills.gateway {
                    kills.kv += 1
                    try kv.crash()
                    kv = try Services.startKV(in: services.folder, listen: "127.0.0.1:\(services.kvPort)")
                }
                try kv.waitUntilReady(port: kv.waitForPort())
                try gateway.waitUntilReady(port: gateway.waitForPort())
            }
            load.stopWriters(writers)
            watchers.join(seconds: 60)
            #expect(try [gateway.stop(), kv.stop()] == [.exited(0), .exited(0)])
            #expect(load.faults == [], "seed \(seed)")
            try self.check(load, seed)
            let seen = load.seen
            print(
                "watching through crashes: \(kills.kv) kills of kv-service and \(kills.gateway) of the gateway,",
                "\(load.written.count) transactions with \(load.written.values.reduce(0) { $0 + $1.changes.count }) changes,",
                "\(seen.reduce(0) { $0 + $1.count }) events with \(seen.joined().reduce(0) { $0 + $1.changes.count })",
                "changes seen by \(seen.count) clients over \(load.connections.reduce(0, +)) connections,",
                "\((ContinuousClock.now - started) / .seconds(1)) s")
        }

        private func check(_ load: WatchLoad, _ seed: UInt64) throws {
            let written = load.written
            // Whatever no writer has written is the removal of one key that expired.
            let first = try #require(load.seen.first)
            #expect(first.map(\.revision) == Array(1...load.newest), "seed \(seed)")
            for transaction in first {
                if let own = written[transaction.revision] {
                    #expect(transaction == own, "seed \(seed)")
                } else {
                    #expect(transaction.changes.count == 1 && transaction.changes[0].isExpiry, "\(transaction)")
                    #expect(transaction.changes[0].key.hasPrefix("session/"), "\(transaction)")
                }
            }
            #expect(first.count { written[$0.revision] == nil } > 0)
            for (number, watcher) in load.watchers.enumerated() {
                let expected = first.compactMap { $0.matching(watcher.prefix) }
                #expect(load.seen[number] == expected, "watcher \(number), seed \(seed)")
            }
        }
    }
}
