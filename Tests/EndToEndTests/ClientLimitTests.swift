import TestSupport
import Testing

extension EndToEnd {
    @Suite("Each client of the gateway", .timeLimit(.minutes(10)))
    struct ClientLimitTests {
        private func get(_ port: UInt16, for client: String?) throws -> HTTPAnswer {
            let headers = client.map { [("X-Forwarded-For", $0)] } ?? []
            return try HTTPConnection(port: port).request("GET", "/api/get?key=k", headers: headers)
        }

        @Test func `has a rate of its own, whatever it says, behind proxies that are trusted`() throws {
            let services = try Services(gatewayArguments: [
                "--rate-limit", "1", "--rate-limit-burst", "4", "--trusted-proxies", "127.0.0.0/8,10.0.0.0/8",
            ])
            let port = services.gatewayPort
            // What stands to the left is invented; 10.1.1.1 is a proxy too.
            for number in 1...4 {
                #expect(try self.get(port, for: "1.1.1.\(number), 192.0.2.1, 10.1.1.1").status == 404)
            }
            let refused = try self.get(port, for: "192.0.2.1")
            #expect(refused.status == 429)
            #expect(try refused.json.string("code") == "rate_limited")
            #expect(refused["Retry-After"] == "1")
            #expect(try self.get(port, for: "192.0.2.2").status == 404)
            // A network of IPv6 is one client.
            for number in 1...4 { #expect(try self.get(port, for: "2001:db8::\(number)").status == 404) }
            #expect(try self.get(port, for: "2001:db8::5").status == 429)
            #expect(try self.get(port, for: "2001:db8:0:1::5").status == 404)
            // The proxy itself.
            for _ in 1...4 { #expect(try self.get(port, for: nil).status == 404) }
            #expect(try self.get(port, for: nil).status == 429)
            // Only data is limited.
            for _ in 1...10 { #expect(try HTTPConnection(port: port).request("GET", "/readyz").status == 200) }
            let document = try HTTPConnection(port: port).request("GET", "/admin").json.object("rate_limit")
            #expect(document.integer("refused_total") == 3)
            #expect(document.integer("clients") == 5)
            let line = try #require(services.gateway?.log.first { $0.string("code") == "rate_limited" })
            #expect(line.string("remote_addr") == "192.0.2.1:0")
            #expect(line.string("proxy_addr")?.hasPrefix("127.0.0.1:") == true)
        }

        @Test func `is refused before its body is read, and nothing is written`() throws {
            let services = try Services(gatewayArguments: ["--rate-limit", "1", "--rate-limit-burst", "1"])
            let client = try KeyValueClient(services, through: .apiGateway)
            #expect(try client.set([1], [1]).status == 200)
            let head = "PUT /api/set?key=a HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n"
            let answer = try HTTPConnection(port: services.gatewayPort).exchangeToEnd(
                Array("\(head)Content-Length: 60000\r\nExpect: 100-continue\r\n\r\n".utf8))
            let text = String(decoding: answer, as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 429 "), "\(text)")
            #expect(text.contains(#""applied":"no""#))
            // Without a trusted proxy nobody is believed.
            #expect(try self.get(services.gatewayPort, for: "192.0.2.1").status == 429)
            #expect(services.kv.log.count { $0.string("handler") == "kv_set" } == 1)
        }
    }
}
