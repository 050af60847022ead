import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("What operators switch", .timeLimit(.minutes(10)))
    struct AdminActionTests {
        private func metric(_ port: UInt16, _ line: String) throws -> Bool {
            try HTTPConnection(port: port).request("GET", "/metrics").text.contains("\n\(line)\n")
        }

        @Test(arguments: Front.allCases)
        func `read-only refuses writes, and reads go on`(front: Front) throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: front)
            #expect(try client.set([1], [1]).status == 200)
            let port = front == .kvService ? services.kvPort : services.gatewayPort
            let prefix = front == .kvService ? "kv" : "gateway"
            #expect(try self.metric(port, "\(prefix)_read_only 0"))
            let on = try AdminDocuments.post(port, "/admin/read-only", #"{"enabled":true,"reason":"moving"}"#)
            #expect(on.status == 200)
            #expect(try on.json.bool("enabled") == true && on.json.string("reason") == "moving")

            for write in [try client.set([1], [2]), try client.delete([1])] {
                #expect(write.status == 503)
                #expect(write["Retry-After"] == "10")
                #expect(try write.json.string("code") == "read_only")
                #expect(try write.json.string("applied") == "no")
                #expect(try write.json.string("detail")?.contains("moving") == true)
            }
            #expect(try client.getRaw([1]).body == [1])
            let ready = try HTTPConnection(port: port).request("GET", "/readyz")
            #expect(ready.status == 200)
            #expect(try ready.json.string("state") == "read_only")
            #expect(try ready.json.string("reason")?.contains("moving") == true)
            let document = try AdminDocuments.get(port, "/admin")
            #expect(document.string("state") == "read_only")
            #expect(document.object("read_only").string("since")?.hasSuffix("Z") == true)
            #expect(try self.metric(port, "\(prefix)_read_only 1"))
            #expect(try self.metric(port, "\(prefix)_events_total{kind=\"read_only_on\"} 1"))

            #expect(try AdminDocuments.post(port, "/admin/read-only", #"{"enabled":false}"#).status == 200)
            #expect(try client.set([1], [3]).status == 200)
            let kinds = try AdminDocuments.events(port).compactMap { $0.string("kind") }
            #expect(kinds.filter { $0.hasPrefix("read_only") } == ["read_only_on", "read_only_off"])
            #expect(!kinds.contains("not_ready"))
        }

        @Test func `a read-only kv-service is told through the gateway as such, and is no failure of it`() throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: .apiGateway)
            #expect(try AdminDocuments.post(services.kvPort, "/admin/read-only", #"{"enabled":true}"#).status == 200)
            for _ in 0..<8 {
                let write = try client.set([1], [1])
                #expect(write.status == 503)
                #expect(try write.json.string("code") == "read_only" && write.json.string("applied") == "no")
            }
            #expect(try client.get([1]).status == 404)
            #expect(try HTTPConnection(port: services.gatewayPort).request("GET", "/readyz").status == 200)
        }

        @Test(arguments: Front.allCases)
        func `a drain is said by readiness alone, and can be taken back`(front: Front) throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: front)
            let port = front == .kvService ? services.kvPort : services.gatewayPort
            // Readiness is checked four times per second, and reported after a change.
            func kinds() throws -> [String] {
                try AdminDocuments.events(port).compactMap { $0.string("kind") }
                    .filter { ["ready", "not_ready", "drain_on", "drain_off"].contains($0) }
            }
            func wait(for kind: String) throws {
                _ = try Poll.until("the last change is \(kind)") { try kinds().last == kind ? true : nil }
            }
            try wait(for: "ready")
            #expect(
                try AdminDocuments.post(port, "/admin/drain", #"{"enabled":true,"reason":"upgrade"}"#).status == 200)
            let ready = try HTTPConnection(port: port).request("GET", "/readyz")
            #expect(ready.status == 503)
            #expect(try ready.json.string("reason")?.hasPrefix("drained by an operator") == true)
            #expect(try ready.json.string("reason")?.hasSuffix("upgrade") == true)
            #expect(try client.set([1], [1]).status == 200, "requests are served, also on old connections")
            #expect(try self.metric(port, "\(front == .kvService ? "kv" : "gateway")_draining 1"))
            try wait(for: "not_ready")
            #expect(try AdminDocuments.post(port, "/admin/drain", #"{"enabled":false}"#).status == 200)
            #expect(try HTTPConnection(port: port).request("GET", "/readyz").status == 200)
            try wait(for: "ready")
            #expect(try kinds().suffix(4) == ["drain_on", "not_ready", "drain_off", "ready"])
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        @Test func `a log level for a time goes back by itself, and a later one ends the time`() throws {
            let services = try Services(withGateway: false)
            let port = services.kvPort
            func level() throws -> JSONObject { try AdminDocuments.get(port, "/admin").object("log_level") }
            let first = try AdminDocuments.post(port, "/admin/log-level", #"{"level":"debug","for":"1s"}"#).json
            #expect(first.string("level") == "debug" && first.string("configured") == "info")
            #expect(first.string("until")?.hasSuffix("Z") == true)
            _ = try Poll.until("the level is back") { try level().string("level") == "info" ? true : nil }
            #expect(try level().string("until") == nil)
            let changes = try AdminDocuments.events(port).filter { $0.string("kind") == "log_level_changed" }
            #expect(changes.map { $0.object("details").string("to") } == ["debug", "info"])
            #expect(changes.last?.object("details").string("request_id") == nil)

            #expect(
                try AdminDocuments.post(port, "/admin/log-level", #"{"level":"debug","for":"1s"}"#).status == 200)
            #expect(try AdminDocuments.post(port, "/admin/log-level", #"{"level":"trace"}"#).status == 200)
            #expect(
                try AdminDocuments.post(port, "/admin/log-level", #"{"level":"error","for":"2s"}"#).status == 200)
            // The first time limit has passed before the second, and has changed nothing.
            _ = try Poll.until("the level is back") { try level().string("level") == "info" ? true : nil }
            let all = try AdminDocuments.events(port).filter { $0.string("kind") == "log_level_changed" }
            #expect(
                all.map { $0.object("details").string("to") } == ["debug", "info", "debug", "trace", "error", "info"])
        }

        /// Each with the code of the problem.
        private static let badQueries = [
            ("x=1", "unknown_parameter"), ("enabled=true", "unknown_parameter"), ("x", "bad_query"),
            ("%zz=1", "bad_query"), ("&", "bad_query"),
        ]

        @Test func `misuse is refused, and changes nothing`() throws {
            let services = try Services()
            for port in [services.kvPort, services.gatewayPort] {
                for path in ["/admin/read-only", "/admin/drain", "/admin/log-level"] {
                    let connection = try HTTPConnection(port: port)
                    func status(_ body: String, _ type: String = "application/json", origin: String? = nil) throws
                        -> Int
                    {
                        let headers = [("Content-Type", type)] + (origin.map { [("Origin", $0)] } ?? [])
                        return try HTTPConnection(port: port).request(
                            "POST", path, headers: headers, body: Array(body.utf8)
                        ).status
                    }
                    let good = path == "/admin/log-level" ? #"{"level":"debug"}"# : #"{"enabled":true}"#
                    let put = try connection.request("PUT", path, body: Array(good.utf8))
                    #expect(put.status == 405 && put["Allow"]?.contains("POST") == true)
                    #expect(try status(good, "application/x-www-form-urlencoded") == 415)
                    #expect(try status(good, origin: "http://127.0.0.1") == 403)
                    for body in [
                        "", "{}", "[]", "{", #"{"enabled":1}"#, #"{"enabled":true,"enabled":true}"#,
                        #"{"enabled":true,"level":"debug","for":"1m"}"#, #"{"level":"loud"}"#,
                        #"{"level":"debug","for":"10"}"#, #"{"level":"debug","for":"25h"}"#,
                        #"{"level":"debug","for":"0s"}"#, #"{"enabled":true,"reason":5}"#,
                        #"{"enabled":true,"reason":""}"#,
                        #"{"enabled":true,"reason":"\#(String(repeating: "x", count: 257))"}"#,
                    ] {
                        #expect(try status(body) == 400, "\(path) \(body)")
                    }
                    #expect(try status("{\"reason\":\"" + String(repeating: "x", count: 2_000) + "\"}") == 413)
                }
                for path in ["/admin/read-only", "/admin/drain", "/admin/log-level", "/admin/compact"] {
                    if path == "/admin/compact" && port == services.gatewayPort { continue }
                    let body =
                        switch path {
                        case "/admin/log-level": #"{"level":"debug"}"#
                        case "/admin/compact": ""
                        default: #"{"enabled":true}"#
                        }
                    for (query, code) in Self.badQueries {
                        let answer = try HTTPConnection(port: port).request(
                            "POST", "\(path)?\(query)", body: Array(body.utf8))
                        #expect(answer.status == 400, "\(path)?\(query)")
                        #expect(answer["Content-Type"] == "application/problem+json")
                        #expect(try answer.json.string("code") == code, "\(path)?\(query)")
                    }
                }
                for path in ["/admin", "/admin/config", "/admin/read-only", "/admin/drain", "/admin/log-level"] {
                    for (query, code) in Self.badQueries {
                        let answer = try HTTPConnection(port: port).request("GET", "\(path)?\(query)")
                        #expect(answer.status == 400, "\(path)?\(query)")
                        #expect(try answer.json.string("code") == code, "\(path)?\(query)")
                    }
                }
                for query in [
                    "limit=0", "limit=513", "limit=x", "limit=", "handler=none", "other=1", "limit=1&limit=2",
                ] {
                    #expect(
                        try HTTPConnection(port: port).request("GET", "/admin/slow?\(query)").status == 400, "\(query)")
                }
                for query in ["after=-1", "after=x", "after=", "after=99999999999999999999"] {
                    #expect(
                        try HTTPConnection(port: port).request("GET", "/admin/events?\(query)").status == 400,
                        "\(query)")
                }
                let document = try AdminDocuments.get(port, "/admin")
                #expect(document.string("state") == "ready")
                #expect(document.object("log_level").string("level") == "info")
                let kinds = try AdminDocuments.events(port).compactMap { $0.string("kind") }
                let words = ["level", "drain", "only", "compaction"]
                #expect(!kinds.contains { kind in words.contains { kind.contains($0) } })
            }
        }

        @Test func `actions ask for the token, reading does not`() throws {
            let folder = TemporaryFolder()
            try FileText.write("0123456789abcdef0123\n", to: folder.file("token"))
            let services = try Services(
                folder: folder, kvArguments: ["--admin-token-file", folder.file("token")], withGateway: false)
            for path in ["/admin/read-only", "/admin/drain", "/admin/log-level"] {
                let body = Array((path == "/admin/log-level" ? #"{"level":"debug"}"# : #"{"enabled":true}"#).utf8)
                let connection = try HTTPConnection(port: services.kvPort)
                #expect(try connection.request("POST", path, body: body).status == 401)
                let wrong = [("Authorization", "Bearer 0123456789abcdef0124")]
                #expect(try connection.request("POST", path, headers: wrong, body: body).status == 401)
                #expect(try connection.request("GET", path).status == 200)
                let right = [("Authorization", "Bearer 0123456789abcdef0123")]
                #expect(try connection.request("POST", path, headers: right, body: body).status == 200)
            }
        }
    }
}
