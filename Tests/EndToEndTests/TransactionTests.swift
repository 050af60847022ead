import Glibc
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Transactions, several keys and counters", .timeLimit(.minutes(10)))
    struct TransactionTests {
        private func post(_ port: UInt16, _ path: String, _ body: String) throws -> HTTPAnswer {
            try HTTPConnection(port: port).request(
                "POST", path, headers: [("Content-Type", "application/json")], body: Array(body.utf8))
        }

        private func port(_ front: Front, _ services: Services) -> UInt16 {
            front == .kvService ? services.kvPort : services.gatewayPort
        }

        @Test(arguments: Front.allCases)
        func `all operations of a transaction are carried out, or none`(front: Front) throws {
            let services = try Services()
            let port = self.port(front, services)
            let first = try self.post(
                port, "/\(front.rawValue)/txn",
                #"{"operations":[{"op":"set","key":"a","value":"1"},{"op":"set","key_b64":"AP8=","value_b64":"/w=="},"#
                    + #"{"op":"get","key":"a"},{"op":"delete","key":"missing"},{"op":"get","key":"missing"}]}"#)
            #expect(first.status == 200)
            #expect(
                first.text
                    == #"{"status":"ok","revision":1,"results":[{"op":"set","revision":1},{"op":"set","revision":1},"#
                    + #"{"op":"get","found":true,"value":"1","revision":1},{"op":"delete","deleted":false},"#
                    + #"{"op":"get","found":false}]}"# + "\n")
            let failed = try self.post(
                port, "/\(front.rawValue)/txn",
                #"{"checks":[{"key":"a","revision":1},{"key_b64":"AP8=","absent":true},{"key":"b","present":true}],"#
                    + #""operations":[{"op":"set","key":"a","value":"2"}]}"#)
            #expect(failed.status == 409)
            #expect(try failed.json.string("code") == "checks_failed")
            #expect(try failed.json.string("applied") == "no")
            #expect(
                failed.text.contains(#""failed":[{"check":1,"key_b64":"AP8=","revision":1},{"check":2,"key":"b"}]}"#))
            let several = try self.post(
                port, "/\(front.rawValue)/mget", #"{"keys":["b","a",{"key_b64":"AP8="}]}"#)
            #expect(
                several.text
                    == #"{"status":"ok","values":[{"key":"b","found":false},"#
                    + #"{"key":"a","found":true,"value":"1","revision":1},"#
                    + #"{"key_b64":"AP8=","found":true,"value_b64":"/w==","revision":1}],"revision":1}"# + "\n")
            for (body, code) in [
                (#"{"operations":[]}"#, "bad_transaction"), ("nothing", "not_json"),
                (#"{"operations":[{"op":"get","key":"a","x":1}]}"#, "bad_json"),
            ] {
                let refused = try self.post(port, "/\(front.rawValue)/txn", body)
                #expect(refused.status == 400)
                #expect(try refused.json.string("code") == code)
                #expect(try refused.json.string("applied") == "no")
            }
            let large = try self.post(
                port, "/\(front.rawValue)/txn",
                #"{"operations":[{"op":"set","key":"a","value":""# + String(repeating: "x", count: 1 << 20) + #""}]}"#)
            #expect(large.status == 413)
        }

        /// Clients move amounts between accounts, each with a transaction that checks what it has read.
        @Test func `what transactions move is never lost or made, also after a kill -9`() throws {
            let services = try Services()
            let accounts = (0..<8).map { "account \($0)" }
            let opening = accounts.map { #"{"op":"set","key":"\#($0)","value":"100"}"# }.joined(separator: ",")
            #expect(try self.post(services.kvPort, "/kv/txn", #"{"operations":[\#(opening)]}"#).status == 200)
            let tally = Mutex<[Int: Int]>([:])
            let threads = Threads()
            for client in 0..<8 {
                threads.start {
                    var generator = SeededGenerator(seed: UInt64(client))
                    for round in 0..<60 {
                        let front = Front.allCases[(client + round) % 2]
                        let pair = accounts.shuffled(using: &generator).prefix(2)
                        let status = try? self.move(
                            from: pair[0], to: pair[1], Int.random(in: 1...30, using: &generator), front,
                            self.port(front, services))
                        tally.withLock { $0[status ?? 0, default: 0] += 1 }
                    }
                }
            }
            threads.join(seconds: 90)
            let counts = tally.withLock { $0 }
            print("transactions by status: \(counts)")
            #expect(Set(counts.keys) == [200, 409])
            try services.kv.crash()
            let again = try Services(folder: services.folder)
            let keys = accounts.map { #""\#($0)""# }.joined(separator: ",")
            let values = try self.post(again.kvPort, "/kv/mget", #"{"keys":[\#(keys)]}"#).json.objects("values")
            let sum = values.reduce(0) { $0 + (Int($1.string("value") ?? "") ?? 0) }
            #expect(values.count == accounts.count && sum == 100 * accounts.count)
        }

        /// - Returns: the status of the transaction; 200 if there was nothing to move.
        private func move(from: String, to: String, _ amount: Int, _ front: Front, _ port: UInt16) throws -> Int {
            let read = try self.post(port, "/\(front.rawValue)/mget", #"{"keys":["\#(from)","\#(to)"]}"#)
            let values = try read.json.objects("values")
            let amounts = values.map { Int($0.string("value") ?? "") ?? 0 }
            let revisions = values.map { $0.integer("revision") ?? 0 }
            return try self.post(
                port, "/\(front.rawValue)/txn",
                #"{"checks":[{"key":"\#(from)","revision":\#(revisions[0])},{"key":"\#(to)","revision":\#(revisions[1])}],"#
                    + #""operations":[{"op":"set","key":"\#(from)","value":"\#(amounts[0] - amount)"},"#
                    + #"{"op":"set","key":"\#(to)","value":"\#(amounts[1] + amount)"}]}"#
            ).status
        }

        @Test(arguments: Front.allCases)
        func `a counter counts every increment once, and refuses what it cannot do`(front: Front) throws {
            let services = try Services()
            let port = self.port(front, services)
            let path = "/\(front.rawValue)/incr"
            let first = try self.post(port, path, #"{"key":"n"}"#)
            #expect(first.text == #"{"status":"ok","value":"1","number":1,"revision":1}"# + "\n")
            #expect(first["ETag"] == "\"1\"")
            let threads = Threads()
            for client in 0..<4 {
                threads.start {
                    for _ in 0..<50 { _ = try? self.post(port, path, #"{"key":"n","delta":\#(client + 1)}"#) }
                }
            }
            threads.join(seconds: 60)
            #expect(try self.post(port, path, #"{"key":"n","delta":0}"#).json.integer("number") == 501)
            let unmet = try self.post(port, path, #"{"key":"n","if_revision":1}"#)
            #expect(unmet.status == 412 && unmet["ETag"] == "\"202\"")
            #expect(try unmet.json.integer("revision") == 202)
            for (body, code) in [
                (#"{"key":"n","delta":9223372036854775807}"#, "overflow"), (#"{"key":"text"}"#, "not_a_number"),
            ] {
                _ = try self.post(port, "/\(front.rawValue)/set", #"{"key":"text","value":"01"}"#)
                let refused = try self.post(port, path, body)
                #expect(refused.status == 409)
                #expect(try refused.json.string("code") == code)
                #expect(try refused.json.string("applied") == "no")
            }
        }

        @Test(arguments: Front.allCases)
        func `a key that expires is gone in time, and its removal is in the log`(front: Front) throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: front)
            let port = self.port(front, services)
            let expiry = 4_000_000_000_000
            #expect(try client.setJSON(#"{"key":"later","value":"1","expires_at":\#(expiry)}"#).status == 200)
            let later = try client.get(Array("later".utf8))
            #expect(later.text == #"{"status":"ok","value":"1","revision":1,"expires_at":\#(expiry)}"# + "\n")
            #expect(try client.getRaw(Array("later".utf8))["X-KV-Expires-At"] == "\(expiry)")
            let raw = try client.connection.request(
                "PUT", "/\(front.rawValue)/set?key=soon&ttl_ms=200",
                headers: [("Content-Type", "application/octet-stream")], body: [1])
            #expect(raw.status == 200)
            #expect(try client.get(Array("soon".utf8)).status == 200)
            let pages = try client.keys("limit=10")
            #expect(pages.text.contains(#"{"key":"later","revision":1,"expires_at":\#(expiry)}"#))
            #expect(try Poll.holds { try client.get(Array("soon".utf8)).status == 404 })
            #expect(
                try Poll.holds {
                    try client.setJSON(#"{"key":"soon","value":"1","if_absent":true}"#).json.integer("revision") == 4
                })
            for body in [#"{"key":"a","value":"1","ttl_ms":0}"#, #"{"key":"a","value":"1","ttl_ms":1,"expires_at":1}"#]
            {
                let refused = try client.setJSON(body)
                #expect(refused.status == 400)
                #expect(try refused.json.string("code") == "bad_expiry")
            }
            let past = try self.post(
                port, "/\(front.rawValue)/txn",
                #"{"operations":[{"op":"set","key":"past","value":"1","expires_at":1}]}"#)
            #expect(past.status == 200)
            #expect(try client.get(Array("past".utf8)).status == 404)
        }
    }
}
