import Glibc
import Testing

extension EndToEnd {
    @Suite("Prometheus reads both services")
    struct Metrics {
        private static func tool(_ name: String) -> String? {
            let folders = String(cString: getenv("PATH")).split(separator: ":")
            return folders.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
        }

        private func useEachOperation(_ services: Services) throws {
            for front in Front.allCases {
                let client = try KeyValueClient(services, through: front)
                #expect(try client.set([1], [1]).status == 200)
                #expect(try client.get([1]).status == 200)
                #expect(try client.delete([1]).status == 200)
                #expect(try client.get([1]).status == 404)
            }
        }

        @Test(.enabled(if: Self.tool("promtool") != nil, "promtool is not installed"))
        func `promtool accepts both expositions`() throws {
            let services = try Services()
            try self.useEachOperation(services)
            for port in [services.kvPort, services.gatewayPort] {
                let answer = try HTTPConnection(port: port).request("GET", "/metrics")
                #expect(answer.status == 200)
                #expect(answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
                let file = services.folder.file("metrics-\(port)")
                try FileText.write(answer.text, to: file)
                let check = try ChildProcess(
                    "/bin/sh",
                    ["-c", "exec promtool check metrics <'\(file)'"],
                    output: services.folder.file("promtool-\(port)")
                )
                #expect(try check.waitForEnd() == .exited(0), "\(check.output)\n\(answer.text)")
                #expect(check.output == "", "promtool has a complaint")
            }
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

        @Test(.enabled(if: Self.tool("prometheus") != nil, "prometheus is not installed"))
        func `a real Prometheus sees both as up`() throws {
            let services = try Services()
            let folder = services.folder
            let configuration = """
                global: {scrape_interval: 1s, scrape_timeout: 1s}
                scrape_configs:
                  - job_name: kv-service
                    static_configs: [{targets: ["127.0.0.1:\(services.kvPort)"]}]
                  - job_name: api-gateway
                    static_configs: [{targets: ["127.0.0.1:\(services.gatewayPort)"]}]
                """
            try FileText.write(configuration, to: folder.file("prometheus.yml"))
            let port = try FreePort.find()
            let prometheus = try ChildProcess(
                try #require(Self.tool("prometheus")),
                [
                    "--config.file=\(folder.file("prometheus.yml"))", "--storage.tsdb.path=\(folder.file("tsdb"))",
                    "--web.listen-address=127.0.0.1:\(port)",
                ],
                output: folder.file("prometheus.log")
            )
            let health = try Poll.until("Prometheus has scraped both; its log:\n\(prometheus.output)", seconds: 60) {
                guard let answer = try? HTTPConnection(port: port).request("GET", "/api/v1/targets"),
                    let data = try? answer.json.members["data"] as? [String: Any],
                    let targets = data["activeTargets"] as? [[String: Any]]
                else { return nil as [String: String]? }
                let health = targets.map { ($0["scrapePool"] as? String ?? "", $0["health"] as? String ?? "") }
                return health.count == 2 && health.allSatisfy { $0.1 != "unknown" }
                    ? Dictionary(uniqueKeysWithValues: health) : nil
            }
            #expect(health == ["kv-service": "up", "api-gateway": "up"])
            prometheus.signal(SIGTERM)
            try prometheus.waitForEnd()
        }
    }
}
