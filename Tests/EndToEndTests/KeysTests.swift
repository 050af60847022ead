import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Keys in order", .timeLimit(.minutes(10)))
    struct KeysTests {
        /// All pages of a query.
        private func all(_ client: KeyValueClient, _ query: String) throws -> [String] {
            var keys: [String] = []
            var cursor = ""
            while true {
                let answer = try client.keys(query + cursor)
                try #require(answer.status == 200, "\(answer.text)")
                keys += try answer.json.objects("keys").compactMap { $0.string("key") }
                guard let next = try answer.json.string("cursor") else { return keys }
                cursor = "&cursor=\(next)"
            }
        }

        @Test func `through both services the same, while other keys change, and after a kill`() throws {
            let services = try Services()
            let fronts = try Front.allCases.map { try KeyValueClient(services, through: $0) }
            let expected = (0..<250).map { "user/\(1_000 + $0)" }
            for key in expected.shuffled() {
                #expect(try fronts[0].set(Array(key.utf8), Array(key.utf8)).status == 200)
            }
            for client in fronts {
                #expect(try self.all(client, "prefix=user/&limit=100") == expected)
                #expect(try self.all(client, "prefix=user/&limit=99&reverse=true") == expected.reversed())
                #expect(try client.keys("prefix=user/&limit=99&count=true").json.integer("count") == 250)
                #expect(try client.keys("start=user/1001&end=user/11&count=true").json.integer("count") == 99)
            }
            // Between two pages others are set and deleted; none of those that stay is missing or there twice.
            let first = try fronts[1].keys("prefix=user/&limit=100")
            let cursor = try #require(first.json.string("cursor"))
            for key in expected.prefix(50) { #expect(try fronts[0].delete(Array(key.utf8)).status == 200) }
            for number in 0..<50 { #expect(try fronts[0].set(Array("user/2\(number)".utf8), [1]).status == 200) }
            let second = try fronts[1].keys("prefix=user/&limit=100&cursor=\(cursor)")
            #expect(try second.json.objects("keys").compactMap { $0.string("key") } == Array(expected[100..<200]))
            #expect(try (second.json.integer("revision") ?? 0) == 350)
            #expect(try (first.json.integer("revision") ?? 0) == 250)
            // A cursor outlives the process.
            services.kv.child.signal(SIGKILL)
            #expect(try services.kv.child.waitForEnd() == .killed(signal: SIGKILL))
            let restarted = try Services.startKV(in: services.folder, listen: "127.0.0.1:\(services.kvPort)")
            try restarted.waitUntilReady(port: try restarted.waitForPort())
            let again = try KeyValueClient(services, through: .kvService).keys(
                "prefix=user/&limit=100&cursor=\(cursor)")
            #expect(again.status == 200 && again.text == second.text, "\(again.text)")
            let other = try KeyValueClient(services, through: .apiGateway).keys(
                "prefix=user&limit=100&cursor=\(cursor)")
            #expect(try other.status == 400 && other.json.string("code") == "bad_cursor")
            #expect(try [services.gateway?.stop(), restarted.stop()] == [.exited(0), .exited(0)])
        }

        @Test func `keys that expire leave the count at the moment at which they leave the page`() throws {
            let services = try Services()
            let fronts = try Front.allCases.map { try KeyValueClient(services, through: $0) }
            let connection = try HTTPConnection(port: services.kvPort)
            for number in 0..<500 {
                let query = "/kv/set?key=expires/\(number)&ttl_ms=\(500 + 2 * number)"
                let raw = [("Content-Type", "application/octet-stream")]
                #expect(try connection.request("PUT", query, headers: raw, body: [1]).status == 200)
            }
            var counts: Set<Int> = []
            _ = try Poll.until("all have expired") { () -> Bool? in
                for client in fronts {
                    let page = try client.keys("prefix=expires/&limit=1000&count=true")
                    let count = try #require(try page.json.integer("count"))
                    try #require(try page.json.objects("keys").count == count)
                    counts.insert(count)
                }
                return counts.contains(0) ? true : nil
            }
            #expect(counts.count > 2)
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }
    }
}
