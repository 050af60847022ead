import TestSupport
import Testing

extension EndToEnd {
    @Suite("One request has one name in both services", .timeLimit(.minutes(10)))
    struct RequestIdentityTests {
        @Test func `a client's request id is in both answers' logs, and a bad one is replaced`() throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: .apiGateway)
            let id = "test.Request_1-a"
            let answer = try client.set([1], [1], headers: [("X-Request-Id", id)])
            #expect(answer["X-Request-Id"] == id)
            for service in [services.kv, try #require(services.gateway)] {
                _ = try Poll.until("\(service.program.rawValue) logs the request", seconds: 10) {
                    service.log.first { $0.string("request_id") == id }
                }
            }
            for bad in ["with space", String(repeating: "a", count: 129), "é", ""] {
                let made = try client.get([1], headers: [("X-Request-Id", bad)])["X-Request-Id"]
                #expect(made != bad)
                #expect(made?.isEmpty == false)
            }
            let made = try (0..<100).map { _ in try client.get([1])["X-Request-Id"] ?? "" }
            #expect(Set(made).count == 100)
        }

        @Test func `a trace goes on through both services`() throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: .apiGateway)
            let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
            _ = try client.set([1], [1], headers: [("traceparent", "00-\(trace)-00f067aa0ba902b7-01")])
            let spans = try [services.kv, try #require(services.gateway)].map { service in
                let line = try Poll.until("\(service.program.rawValue) logs the trace", seconds: 10) {
                    service.log.first { $0.string("trace_id") == trace }
                }
                return line.string("span_id") ?? ""
            }
            #expect(Set(spans).count == 2)
            #expect(!spans.contains("00f067aa0ba902b7"))
        }

        @Test func `no key and no value appears in a log`() throws {
            let services = try Services()
            for front in Front.allCases {
                let client = try KeyValueClient(services, through: front)
                _ = try client.set(Array("Kprivate".utf8), Array("Vprivate".utf8))
                _ = try client.get(Array("Kprivate".utf8))
                _ = try client.setJSON(#"{"key":"Kprivate","value":"Vprivate","other":"Kprivate"}"#)
                _ = try client.delete(Array("Kprivate".utf8))
            }
            _ = try services.stop()
            for service in [services.kv, try #require(services.gateway)] {
                #expect(service.log.contains { $0.integer("status") == 200 })
                #expect(!service.child.output.contains("private"))
            }
        }
    }
}
