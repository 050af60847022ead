import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Writes that are repeated", .timeLimit(.minutes(10)))
    struct IdempotencyTests {
        private func post(
            _ front: Front, _ services: Services, _ path: String, _ body: String, key: String
        ) throws -> HTTPAnswer {
            let port = front == .kvService ? services.kvPort : services.gatewayPort
            return try HTTPConnection(port: port).request(
                "POST", "/\(front.rawValue)/\(path)",
                headers: [("Content-Type", "application/json"), ("Idempotency-Key", key)], body: Array(body.utf8))
        }

        /// Each kind of write: path, body.
        private static let writes = [
            ("set", #"{"key":"a","value":"1"}"#), ("incr", #"{"key":"n","delta":5}"#),
            (
                "txn",
                #"{"operations":[{"op":"set","key":"b","value":"1"},{"op":"get","key":"a"},{"op":"delete","key":"x"}]}"#
            ),
        ]

        @Test func `with their key are carried out once, through either front, after a kill -9 and a compaction`()
            throws
        {
            var services = try Services()
            var first: [String] = []
            for (place, (path, body)) in Self.writes.enumerated() {
                let answer = try self.post(Front.allCases[place % 2], services, path, body, key: "k\(place)")
                #expect(answer.status == 200 && answer["Idempotency-Replayed"] == nil, "\(answer.text)")
                first.append(answer.text.replacing(" via api-gateway", with: ""))
            }
            let deleted = try KeyValueClient(services, through: .apiGateway).delete(
                Array("a".utf8), headers: [("Idempotency-Key", "gone")])
            #expect(deleted.status == 200)
            func repeatAll(_ services: Services) throws {
                for front in Front.allCases {
                    for (place, (path, body)) in Self.writes.enumerated() {
                        let answer = try self.post(front, services, path, body, key: "k\(place)")
                        #expect(answer.status == 200 && answer["Idempotency-Replayed"] == "true", "\(answer.text)")
                        // A get of a transaction has no value any more.
                        let expected = first[place].replacing(#""found":true,"value":"1","#, with: #""found":true,"#)
                        #expect(answer.text.replacing(" via api-gateway", with: "") == expected)
                    }
                    let again = try KeyValueClient(services, through: front).delete(
                        Array("a".utf8), headers: [("Idempotency-Key", "gone")])
                    #expect(again["Idempotency-Replayed"] == "true")
                    #expect(try again.json.integer("revision") == 4)
                }
            }
            try repeatAll(services)
            try services.kv.crash()
            services = try Services(folder: services.folder)
            try repeatAll(services)
            _ = try Compaction.run(services.kvPort)
            try services.kv.crash()
            services = try Services(folder: services.folder)
            try repeatAll(services)
            #expect(try KeyValueClient(services, through: .kvService).get(Array("n".utf8)).json.string("value") == "5")
        }

        @Test(arguments: Front.allCases)
        func `with the key of another write are refused, and so are keys that are none`(front: Front) throws {
            let services = try Services()
            #expect(try self.post(front, services, "incr", #"{"key":"n"}"#, key: "one").status == 200)
            let other = try self.post(front, services, "incr", #"{"key":"n","delta":2}"#, key: "one")
            #expect(other.status == 422)
            #expect(try other.json.string("code") == "idempotency_key_reused")
            #expect(try other.json.string("applied") == "no")
            for key in ["", "a b", String(repeating: "x", count: 129)] {
                let refused = try self.post(front, services, "incr", #"{"key":"n"}"#, key: key)
                #expect(refused.status == 400)
                #expect(try refused.json.string("code") == "bad_idempotency_key")
            }
            let long = String(repeating: "~", count: 128)
            #expect(try self.post(front, services, "incr", #"{"key":"n"}"#, key: long).json.integer("number") == 2)
        }

        private final class Tally: Sendable {
            private let number = Mutex(0)
            var count: Int { self.number.withLock { $0 } }
            func add() { self.number.withLock { $0 += 1 } }
        }

        /// The gateway repeats what it got no answer to: the counter counts what was acknowledged, and nothing twice.
        @Test func `by the gateway while kv-service is killed are carried out once`() throws {
            let services = try Services()
            let port = services.kvPort
            var kv = services.kv
            let (acknowledged, unknown) = (Tally(), Tally())
            let stop = Tally()
            let threads = Threads()
            defer { stop.add() }
            for _ in 0..<4 {
                threads.start {
                    while stop.count == 0 {
                        guard
                            let answer = try? HTTPConnection(port: services.gatewayPort).request(
                                "POST", "/api/incr", headers: [("Content-Type", "application/json")],
                                body: Array(#"{"key":"n"}"#.utf8))
                        else { continue }
                        if answer.status == 200 { acknowledged.add() }
                        if (try? answer.json.string("applied")) == "unknown" { unknown.add() }
                    }
                }
            }
            for _ in 0..<4 {
                let before = acknowledged.count
                #expect(Poll.holds { acknowledged.count >= before + 50 })
                try kv.crash()
                kv = try Services.startKV(in: services.folder, listen: "127.0.0.1:\(port)")
                _ = try kv.waitForPort()
                try kv.waitUntilReady(port: port)
            }
            let before = acknowledged.count
            #expect(Poll.holds { acknowledged.count >= before + 50 })
            stop.add()
            threads.join(seconds: 60)
            let answer = try KeyValueClient(services, through: .kvService).get(Array("n".utf8))
            let count = Int(try answer.json.string("value") ?? "") ?? 0
            print("increments: \(acknowledged.count) acknowledged, \(unknown.count) unknown, the counter is \(count)")
            #expect(count >= acknowledged.count && count <= acknowledged.count + unknown.count)
        }
    }
}
