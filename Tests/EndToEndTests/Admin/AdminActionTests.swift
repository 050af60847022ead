import Glibc
import Testing

extension EndToEnd {
    @Suite("What operators switch")
    struct AdminActions {
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
            #expect(try ready.json.string("reason")?.hasPrefix("drained") == true)
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
            let folder = try TemporaryFolder()
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

    @Suite("What a service tells of what has happened")
    struct AdminEvents {
        @Test func `a start is told in order, by increasing numbers, and counted`() throws {
            let services = try Services()
            let kv = try AdminDocuments.events(services.kvPort)
            #expect(kv.map { $0.string("kind") } == ["started", "listening", "replay_ended", "ready"])
            #expect(kv.map { $0.integer("number") } == [1, 2, 3, 4])
            #expect(kv.allSatisfy { $0.string("time")?.hasSuffix("Z") == true })
            let gateway = try AdminDocuments.events(services.gatewayPort).compactMap { $0.string("kind") }
            #expect(Set(gateway) == ["started", "listening", "upstream_back", "ready"])
            let text = try HTTPConnection(port: services.kvPort).request("GET", "/metrics").text
            #expect(text.contains("\nkv_events_total{kind=\"ready\"} 1\n"))
            #expect(text.contains("\nkv_events_total{kind=\"log_failed\"} 0\n"))
        }

        @Test func `a start after a crash says where the log ends, and one after a stop has nothing to say`() throws {
            let folder = try TemporaryFolder()
            let first = try Services(folder: folder, withGateway: false)
            #expect(try KeyValueClient(port: first.kvPort, through: .kvService).set([1], [1]).status == 200)
            try first.kv.crash()
            for isClean in [false, true] {
                let services = try Services(folder: folder, withGateway: false)
                let port = services.kvPort
                let told = try AdminDocuments.events(port).first { $0.string("kind") == "unclean_stop" }
                #expect((told == nil) == isClean)
                let replay = try AdminDocuments.get(port, "/admin").object("replay")
                #expect(replay.members["clean_shutdown"] as? Bool == isClean)
                let text = try HTTPConnection(port: port).request("GET", "/metrics").text
                #expect(text.contains("\nkv_log_clean_shutdown \(isClean ? 1 : 0)\n"))
                #expect(text.contains("\nkv_events_total{kind=\"unclean_stop\"} \(isClean ? 0 : 1)\n"))
                if let details = told?.object("details") {
                    #expect(details.string("file") == "0000000000000001.log" && details.integer("revision") == 1)
                    let time = details.string("last_frame_at")
                    #expect(time?.hasSuffix("Z") == true && replay.string("last_frame_at") == time)
                }
                _ = try services.stop()
            }
        }

        @Test func `a reader that asks for what comes after a number gets just that`() throws {
            let services = try Services(withGateway: false)
            let port = services.kvPort
            let before = try #require(try AdminDocuments.get(port, "/admin/events").integer("last_number"))
            let id = try Compaction.ask(port)
            let ended = try AdminDocuments.event("compaction_ended", port, after: before)
            #expect(ended.object("details").integer("run_id") == id)
            #expect(ended.object("details").string("result") == "ok")
            let kinds = try AdminDocuments.events(port, after: before).map { $0.string("kind") }
            #expect(kinds == ["compaction_started", "compaction_ended"])
            #expect(try AdminDocuments.events(port, after: before + 2).isEmpty)
            #expect(try AdminDocuments.events(port, after: 1_000_000).isEmpty)
        }
    }

    @Suite("The slowest requests")
    struct AdminSlow {
        private func slowest(_ port: UInt16, _ handler: String) throws -> JSONObject {
            try #require(
                try AdminDocuments.get(port, "/admin/slow?handler=\(handler)&limit=1").objects("requests").first)
        }

        @Test func `a slow disk is found in the fsync stage, and on the gateway in the wait for kv-service`() throws {
            let folder = try TemporaryFolder()
            let delay = ["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync"]
            let kv = try Services.startKV(
                in: folder, wrapper: ["/usr/bin/strace"] + delay + ["-e", "inject=fdatasync:delay_enter=20000"])
            let kvPort = try kv.waitForPort()
            try kv.waitUntilReady(port: kvPort)
            let gateway = try Services.startGateway(in: folder, upstreamPort: kvPort)
            let port = try gateway.waitForPort()
            try gateway.waitUntilReady(port: port)
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
            #expect(try gateway.stop() == .exited(0))
            kv.child.signal(SIGKILL)
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
