import TestSupport
import Testing

extension EndToEnd {
    @Suite("What is so already", .timeLimit(.minutes(10)))
    struct AdminNoChangeTests {
        /// The kinds of all changes that operators make.
        private func changes(_ port: UInt16) throws -> [String] {
            try AdminDocuments.events(port).compactMap { $0.string("kind") }
                .filter { $0.hasPrefix("read_only") || $0.hasPrefix("drain") || $0.hasPrefix("log_level") }
        }

        @Test func `is answered as a change is, and is neither an event nor a line of the log`() throws {
            let services = try Services()
            for (port, service) in [(services.kvPort, services.kv), (services.gatewayPort, services.gateway)] {
                func post(_ path: String, _ body: String) throws {
                    #expect(try AdminDocuments.post(port, path, body).status == 200, "\(path) \(body)")
                }
                for path in ["/admin/read-only", "/admin/drain"] {
                    try post(path, #"{"enabled":false}"#)
                    try post(path, #"{"enabled":false,"reason":"not on"}"#)
                }
                try post("/admin/log-level", #"{"level":"info"}"#)
                #expect(try self.changes(port) == [])

                for path in ["/admin/read-only", "/admin/drain"] {
                    for body in [#"{"enabled":true,"reason":"a"}"#, #"{"enabled":true}"#] {
                        try post(path, body)
                        try post(path, #"{"enabled":true,"reason":"a"}"#)
                    }
                    #expect(try AdminDocuments.get(port, path).string("reason") == "a")
                }
                for _ in 1...2 { try post("/admin/log-level", #"{"level":"debug"}"#) }
                #expect(try self.changes(port) == ["read_only_on", "drain_on", "log_level_changed"])

                // Setting or removing a time limit is a change; so is another reason.
                try post("/admin/log-level", #"{"level":"debug","for":"1h"}"#)
                try post("/admin/log-level", #"{"level":"debug"}"#)
                try post("/admin/drain", #"{"enabled":true,"reason":"b"}"#)
                #expect(try self.changes(port).suffix(3) == ["log_level_changed", "log_level_changed", "drain_on"])
                // After it has ended, all of its lines exist.
                let process = try #require(service)
                #expect(try process.stop() == .exited(0))
                let lines = process.log.compactMap { $0.string("event") }
                #expect(lines.filter { $0.hasPrefix("read_only") } == ["read_only_on"])
                #expect(lines.filter { $0.hasPrefix("drain") } == ["drain_on", "drain_on"])
                #expect(lines.count { $0 == "log_level_changed" } == 3)
            }
        }

        @Test func `a time that ends where it began is no event`() throws {
            let services = try Services(withGateway: false)
            let port = services.kvPort
            #expect(try AdminDocuments.post(port, "/admin/log-level", #"{"level":"info","for":"1s"}"#).status == 200)
            _ = try Poll.until("the time is over") {
                try AdminDocuments.get(port, "/admin/log-level").string("until") == nil ? true : nil
            }
            // It reported that the level applies for a time, and nothing when that ended.
            #expect(try self.changes(port) == ["log_level_changed"])
        }
    }
}
