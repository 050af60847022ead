import Glibc
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Prometheus reads both services", .timeLimit(.minutes(10)))
    struct MetricsTests {
        private func useEachOperation(_ services: Services) throws {
            for front in Front.allCases {
                let client = try KeyValueClient(services, through: front)
                #expect(try client.set([1], [1]).status == 200)
                #expect(try client.get([1]).status == 200)
                #expect(try client.delete([1]).status == 200)
                #expect(try client.get([1]).status == 404)
            }
        }

        @Test(.enabled(if: Programs.installed("promtool") != nil, "promtool is not installed"))
        func `promtool accepts both expositions, under load`() throws {
            let services = try Services()
            try self.useEachOperation(services)
            let load = try Load(services)
            defer { load.stop() }
            for port in [services.kvPort, services.gatewayPort] {
                for round in 1...5 {
                    let answer = try HTTPConnection(port: port).request("GET", "/metrics")
                    #expect(answer.status == 200)
                    #expect(answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
                    #expect(answer["Content-Encoding"] == nil)
                    let file = services.folder.file("metrics-\(port)-\(round)")
                    try FileText.write(answer.text, to: file)
                    let check = try Tool.run(
                        "/bin/sh", ["-c", "exec promtool check metrics <'\(file)'"], in: services.folder)
                    #expect(check.ending == .exited(0), "\(check.output)\n\(answer.text)")
                    #expect(check.output == "", "promtool has a complaint")
                }
            }
            load.stop()
            #expect(load.failures == 0)
            #expect(load.answers > 100)
        }

        @Test func `requests are counted by handler, method and status`() throws {
            let services = try Services()
            try self.useEachOperation(services)
            let kv = try HTTPConnection(port: services.kvPort).request("GET", "/metrics").text
            let gateway = try HTTPConnection(port: services.gatewayPort).request("GET", "/metrics").text
            // The gateway's requests reach kv-service too, sets as POST.
            #expect(kv.contains(#"http_requests_total{handler="kv_set",method="POST",status="200"} 1"# + "\n"))
            #expect(kv.contains(#"http_requests_total{handler="kv_set",method="PUT",status="200"} 1"# + "\n"))
            #expect(kv.contains(#"http_requests_total{handler="kv_get",method="GET",status="200"} 2"# + "\n"))
            #expect(kv.contains(#"http_requests_total{handler="kv_get",method="GET",status="404"} 2"# + "\n"))
            #expect(gateway.contains(#"http_requests_total{handler="api_set",method="PUT",status="200"} 1"# + "\n"))
            #expect(gateway.contains(#"http_requests_total{handler="api_get",method="GET",status="404"} 1"# + "\n"))
            #expect(
                gateway.contains(#"http_requests_total{handler="api_delete",method="DELETE",status="200"} 1"# + "\n"))
        }

        @Test func `the limit of connections is a metric, and stands in /admin`() throws {
            let services = try Services(
                kvArguments: ["--max-connections", "77"],
                gatewayArguments: ["--max-connections", "78"]
            )
            for (port, limit) in [(services.kvPort, 77), (services.gatewayPort, 78)] {
                let connection = try HTTPConnection(port: port)
                #expect(try connection.request("GET", "/metrics").text.contains("\nhttp_connections_max \(limit)\n"))
                let http = try connection.request("GET", "/admin").json.members["http"] as? [String: Any]
                #expect(http?["connections_max"] as? Int == limit)
            }
        }

        /// The first event must be visible as an increase, or no alert detects it.
        @Test func `series that are known in advance begin at 0`() throws {
            let services = try Services()
            for (port, series) in [
                (
                    services.kvPort,
                    [
                        #"http_request_failures_total{handler="kv_set",reason="disk_full"}"#,
                        #"http_request_failures_total{handler="kv_set",reason="read_only"}"#,
                        #"kv_log_failures_total{stage="fsync"}"#, "kv_log_corruptions_total",
                        #"kv_compactions_total{result="error",trigger="admin"}"#, "metrics_series_overflow_total",
                        #"kv_log_state{state="failed"}"#, "kv_compaction_pause_duration_seconds_count",
                    ]
                ),
                (
                    services.gatewayPort,
                    [
                        #"http_request_failures_total{handler="api_get",reason="upstream_timeout"}"#,
                        #"http_request_failures_total{handler="api_set",reason="disk_full"}"#,
                        #"http_request_failures_total{handler="api_set",reason="read_only"}"#,
                        #"gateway_upstream_failures_total{reason="timeout",upstream="kv-service"}"#,
                        #"gateway_upstream_requests_total{operation="set",status="507",upstream="kv-service"}"#,
                    ]
                ),
            ] {
                let text = try HTTPConnection(port: port).request("GET", "/metrics").text
                let missing = series.filter { !text.contains("\n\($0) 0\n") }
                #expect(missing == [])
            }
        }

        /// Every method on every path, with refused bodies and fields, and with a kv-service that does not answer and
        /// then is unreachable. A debug build ends at an answer that its handler does not declare.
        @Test func `nothing that clients can cause begins a series late, but mistakes in the method`() throws {
            let services = try Services(gatewayArguments: ["--upstream-timeout", "100ms"])
            func series(_ port: UInt16) throws -> Set<Substring> {
                let lines = try HTTPConnection(port: port).request("GET", "/metrics").text.split(separator: "\n")
                return Set(lines.filter { !$0.hasPrefix("#") }.compactMap { $0.split(separator: " ").first })
            }
            let ports = [services.kvPort, services.gatewayPort]
            // A scrape is one of the counted requests.
            let before = try ports.map {
                _ = try series($0); return try series($0)
            }
            let raw = ("Content-Type", "application/octet-stream")
            for (port, front) in zip(ports, Front.allCases) {
                let data = ["set", "get", "delete"].flatMap {
                    ["/\(front.rawValue)/\($0)", "/\(front.rawValue)/\($0)?key=a"]
                }
                for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
                    for path in data + ["/", "/?x=1", "/nowhere", "/health", "/readyz", "/admin", "/admin/compact"] {
                        for (fields, body) in [
                            ([raw], nil), ([raw], [1]), ([("Content-Type", "text/plain")], [1]),
                            ([raw, ("If-Match", "*")], [1]), ([raw, ("If-None-Match", "*")], [1]),
                            ([raw, ("If-Match", "x")], [1]), ([raw, ("If-Range", "x")], [1]),
                            ([raw, ("X-Request-Timeout-Ms", "0")], [1]),
                            ([raw, ("X-Request-Timeout-Ms", "x")], [1]), ([("Expect", "x")], [1]),
                        ] as [([(String, String)], [UInt8]?)] {
                            _ = try HTTPConnection(port: port).request(method, path, headers: fields, body: body)
                        }
                    }
                }
                for text in ["nonsense\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"] {
                    _ = try HTTPConnection(port: port).exchangeToEnd(Array(text.utf8))
                }
            }
            func useGateway() throws {
                let client = try KeyValueClient(services, through: .apiGateway)
                for _ in 0..<8 {
                    _ = [try client.set([1], [1]).status, try client.get([1]).status, try client.delete([1]).status]
                }
            }
            let kvAfter = try series(services.kvPort)
            try services.kv.child.pause()
            try useGateway()
            services.kv.child.signal(SIGCONT)
            try services.kv.crash()
            try useGateway()
            for (new, port) in [
                (kvAfter.subtracting(before[0]), "kv"), (try series(ports[1]).subtracting(before[1]), "gw"),
            ] {
                let late = new.filter { name in
                    let isOfRequests =
                        name.hasPrefix("http_requests_total{") || name.hasPrefix("http_request_duration_")
                    return !isOfRequests || name.contains("status=\"5")
                }
                #expect(late == [], "\(port)")
            }
        }

        @Test func `a check that holds, a compaction's pauses and a scrape's own time are seen`() throws {
            let services = try Services(kvArguments: Compaction.onlyWhenAsked)
            try self.useEachOperation(services)
            #expect(try Compaction.run(services.kvPort) == nil)
            func text(_ port: UInt16) throws -> String {
                try HTTPConnection(port: port).request("GET", "/metrics").text
            }
            let kv = try text(services.kvPort)
            #expect(kv.contains("\nkv_health_check_status{check=\"log_writable\"} 1\n"))
            #expect(kv.contains("\nkv_compaction_pause_duration_seconds_count "))
            #expect(!kv.contains("\nkv_compaction_pause_duration_seconds_count 0\n"))
            #expect(try text(services.kvPort).contains(/\nmetrics_scrape_duration_seconds 0\.\d+\n/))
            let gateway = try text(services.gatewayPort)
            #expect(gateway.contains("\ngateway_health_check_status{check=\"upstream_reachable\"} 1\n"))
            #expect(try services.kv.stop() == .exited(0))
            _ = try Poll.until("the gateway says that kv-service cannot be reached") {
                try text(services.gatewayPort).contains("check=\"upstream_reachable\"} 0\n") ? true : nil
            }
        }
    }
}

/// Sets, gets and deletes through both services, until it is stopped.
final class Load {
    private let threads = Threads()
    private let state: State

    private final class State: Sendable {
        let isOver = Atomic<Bool>(false)
        let answers = Atomic<Int>(0)
        let failures = Atomic<Int>(0)
    }

    init(_ services: Services) throws {
        let state = State()
        self.state = state
        for (number, front) in (Front.allCases + Front.allCases).enumerated() {
            self.threads.start {
                var round = 0
                while !state.isOver.load(ordering: .relaxed) {
                    round += 1
                    let key = Array("key-\(number)-\(round % 50)".utf8)
                    let statuses = try? [
                        KeyValueClient(services, through: front).set(key, [1, 2, 3]).status,
                        KeyValueClient(services, through: front).get(key).status,
                        KeyValueClient(services, through: front).delete(key).status,
                    ]
                    state.answers.add(3, ordering: .relaxed)
                    if statuses != [200, 200, 200] { state.failures.add(1, ordering: .relaxed) }
                }
            }
        }
        _ = try Poll.until("the load is under way") { self.answers > 20 ? true : nil }
    }

    var answers: Int { self.state.answers.load(ordering: .relaxed) }
    var failures: Int { self.state.failures.load(ordering: .relaxed) }

    func stop() {
        self.state.isOver.store(true, ordering: .relaxed)
        self.threads.join()
    }
}
