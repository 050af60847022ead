import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("The slowest requests", .timeLimit(.minutes(10)))
    struct AdminSlowTests {
        private func slowest(_ port: UInt16, _ handler: String) throws -> JSONObject {
            try #require(
                try AdminDocuments.get(port, "/admin/slow?handler=\(handler)&limit=1").objects("requests").first)
        }

        @Test func `a slow disk is found in the fsync stage, and on the gateway in the wait for kv-service`() throws {
            let services = try Services(injectingIntoSyncs: "delay_enter=20000")
            let (kvPort, port) = (services.kvPort, services.gatewayPort)
            let client = try KeyValueClient(port: port, through: .apiGateway)
            let secret = Array("a-key-nobody-may-see".utf8)
            let answer = try client.set(secret, [1], headers: [("X-Request-Id", "slow-one")])
            #expect(answer.status == 200)
            _ = try client.get(secret)

            let write = try self.slowest(kvPort, "kv_set")
            let stages = write.object("stages_seconds")
            let duration = try #require(write.number("duration_seconds"))
            #expect(try #require(stages.number("fsync")) >= 0.02)
            #expect(try #require(stages.number("fsync")) >= 0.5 * duration, "\(write.members)")
            let sum = ["receive", "queue", "write", "fsync", "apply", "overhead"].reduce(0) {
                $0 + (stages.number($1) ?? 0)
            }
            #expect(abs(sum - duration) < 1e-6, "\(write.members)")
            #expect(write.string("request_id") == "slow-one" && write.integer("batch_writes") == 1)

            let forwarded = try self.slowest(port, "api_set")
            let gatewayStages = forwarded.object("stages_seconds")
            #expect(try #require(gatewayStages.number("upstream")) >= 0.02)
            #expect(gatewayStages.number("connection") != nil && forwarded.integer("attempts") == 1)
            #expect(forwarded.string("request_id") == "slow-one")
            #expect(forwarded.string("trace_id") == write.string("trace_id"))
            for port in [kvPort, port] {
                let text = try HTTPConnection(port: port).request("GET", "/admin/slow?limit=512").text
                #expect(text.contains("slow-one") && !text.contains("nobody"))
            }
            #expect(try self.slowest(kvPort, "kv_get").object("stages_seconds").number("fsync") == nil)
            #expect(try services.gateway?.stop() == .exited(0))
            services.kv.child.signal(SIGKILL)
        }

        @Test func `a slow client is told from a slow service`() throws {
            let services = try Services(withGateway: false)
            let connection = try HTTPConnection(port: services.kvPort)
            let head = "PUT /kv/set?key=k HTTP/1.1\r\nHost: t\r\nContent-Type: application/octet-stream\r\n"
            try connection.send(Array("\(head)Content-Length: 2\r\n\r\n1".utf8))
            let started = ContinuousClock.now
            _ = try Poll.until("the service has had the request for a while") {
                ContinuousClock.now - started > .milliseconds(150) ? true : nil
            }
            try connection.send([2])
            #expect(try connection.receive().status == 200)
            let stages = try self.slowest(services.kvPort, "kv_set").object("stages_seconds")
            #expect(try #require(stages.number("receive")) >= 0.1)
        }
    }
}
