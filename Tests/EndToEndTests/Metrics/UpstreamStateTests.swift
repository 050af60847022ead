import Glibc
import TestSupport
import Testing

extension EndToEnd {
    /// UpstreamDown, which wakes an operator at night, depends on `gateway_upstream_up`.
    @Suite("kv-service, as the gateway tells of it", .timeLimit(.minutes(10)))
    struct UpstreamStateTests {
        private struct Told: Equatable, CustomStringConvertible {
            var up: Int
            var ready: Int
            /// Status of the gateway's `/readyz`.
            var readiness: Int

            var description: String { "up \(self.up), ready \(self.ready), /readyz \(self.readiness)" }
        }

        private func told(_ port: UInt16) throws -> Told {
            let text = try HTTPConnection(port: port).request("GET", "/metrics").text
            func value(_ name: String) throws -> Int {
                let line = text.split(separator: "\n").first { $0.hasPrefix("\(name){upstream=\"kv-service\"} ") }
                return try #require(line?.split(separator: " ").last.flatMap { Int($0) })
            }
            return try Told(
                up: value("gateway_upstream_up"), ready: value("gateway_upstream_ready"),
                readiness: HTTPConnection(port: port).request("GET", "/readyz").status)
        }

        private func expect(_ wanted: Told, _ port: UInt16, when what: String) throws {
            var last: Told?
            do {
                _ = try Poll.until("\(what): \(wanted)") {
                    last = try self.told(port)
                    return last == wanted ? true : nil
                }
            } catch { throw TimeoutError(description: "\(error); the last: \(last?.description ?? "none")") }
            // Also in the document.
            let upstream = try #require(try AdminDocuments.get(port, "/admin").objects("upstreams").first)
            #expect(upstream.bool("up") == (wanted.up == 1) && upstream.bool("ready") == (wanted.ready == 1))
        }

        @Test func `drained or read-only it is up, for it serves; gone it is down`() throws {
            let services = try Services()
            let port = services.gatewayPort
            let client = try KeyValueClient(services, through: .apiGateway)
            try self.expect(Told(up: 1, ready: 1, readiness: 200), port, when: "well")

            #expect(try AdminDocuments.post(services.kvPort, "/admin/drain", #"{"enabled":true}"#).status == 200)
            try self.expect(Told(up: 1, ready: 0, readiness: 200), port, when: "drained")
            #expect(try client.set([1], [1]).status == 200)
            let event = try AdminDocuments.event("upstream_not_ready", port)
            #expect(event.object("details").bool("serves") == true)
            #expect(try AdminDocuments.post(services.kvPort, "/admin/drain", #"{"enabled":false}"#).status == 200)
            try self.expect(Told(up: 1, ready: 1, readiness: 200), port, when: "no longer drained")

            let number = try #require(try AdminDocuments.get(port, "/admin/events").integer("last_number"))
            #expect(try AdminDocuments.post(services.kvPort, "/admin/read-only", #"{"enabled":true}"#).status == 200)
            #expect(try AdminDocuments.get(services.kvPort, "/readyz").string("serving") == "reads")
            try self.expect(Told(up: 1, ready: 1, readiness: 200), port, when: "read-only")
            #expect(try client.get([1]).status == 200)
            #expect(try AdminDocuments.events(port, after: number).isEmpty)

            try services.kv.crash()
            try self.expect(Told(up: 0, ready: 0, readiness: 503), port, when: "gone")
        }

        @Test(.enabled(if: access("/usr/bin/strace", X_OK) == 0, "strace is not installed"))
        func `with a failed log it is up and not ready, for it serves reads`() throws {
            // A start needs fewer than 40 syncs; the writer reaches that with one write each.
            let services = try Services(injectingIntoSyncs: "error=EIO:when=40+")
            let (kvPort, port) = (services.kvPort, services.gatewayPort)
            let client = try KeyValueClient(port: port, through: .apiGateway)
            _ = try Poll.until("the log has failed") {
                let answer = try client.set([1], [1])
                return answer.status == 503 ? true : nil
            }
            try self.expect(Told(up: 1, ready: 0, readiness: 200), port, when: "the log has failed")
            #expect(try AdminDocuments.get(kvPort, "/readyz").string("serving") == "reads")
            #expect([200, 404].contains(try client.get([1]).status))
        }
    }
}
