import Health
import PrometheusMetrics
import ServiceKit
import ServiceSettings
import Synchronization
import TestSupport
import Testing

@testable import APIGateway

@Suite("Other routes for a running gateway", .timeLimit(.minutes(1)))
struct UpstreamReloadTests {
    /// Answers every request with its name as the value; those for the key `slow` wait for a gate.
    private static func server(_ name: String, _ gate: FakeGate = FakeGate()) -> FakeHTTPServer {
        FakeHTTPServer { request in
            let answer = FakeAnswer.value(Array(name.utf8), revision: 1)
            if request.path == "/readyz" { return FakeAnswer.ready }
            return request.key?.suffix(4).elementsEqual("slow".utf8) == true ? [.waitFor(gate)] + answer : answer
        }
    }

    private func routes(_ lines: String...) throws -> [UpstreamRoute] {
        try RoutesParser.routes(Array(lines.joined(separator: "\n").utf8))
    }

    private func value(_ answer: GatewayAnswer) -> String {
        answer.status == 200 ? answer.text.firstMatch(of: /"value":"(\w+)"/).map { String($0.1) } ?? "" : answer.text
    }

    @Test func `keep the connections of an upstream whose name and address stay`() async throws {
        let (a, b) = (Self.server("a"), Self.server("b"))
        try await withRoutedGateway([("a/", a), ("b/", b)]) { gateway, ports in
            #expect(await self.value(gateway.get("a/1")) == "a")
            #expect(await self.value(gateway.get("b/1")) == "b")
            let before = gateway.upstreams.table.entries.map(\.upstream)
            gateway.upstreams.take(
                try self.routes(
                    "u1 http://127.0.0.1:\(ports[1]) prefixes=a/,c/", "u0 http://127.0.0.1:\(ports[0]) prefixes=b/"), 2)
            let after = gateway.upstreams.table.entries.map(\.upstream)
            #expect(after.count == 2 && after[0] === before[1] && after[1] === before[0])
            #expect(await self.value(gateway.get("a/1")) == "b")
            #expect(await self.value(gateway.get("c/1")) == "b")
            #expect(await self.value(gateway.get("b/1")) == "a")
            #expect(Set(a.requests.map(\.connection)) == [1] && Set(b.requests.map(\.connection)) == [1])
        }
    }

    @Test func `let requests that wait or are in flight end where they were sent`() async throws {
        let gate = FakeGate()
        let (a, b) = (Self.server("a", gate), Self.server("b"))
        let next = Self.server("next")
        let port = try await next.start()
        var limits = UpstreamLimits()
        limits.pool.maxConnections = 2
        try await withRoutedGateway([("a/", a), ("b/", b)], budget: 4, limits: limits) { gateway, ports in
            let old = gateway.upstreams.table.entries[0].upstream
            #expect(old.maxConnections == 2)
            // Two in flight, and three that wait for a connection.
            async let answers = withTaskGroup { group in
                for _ in 1...5 { group.addTask { await self.value(gateway.get("a/slow")) } }
                return await group.reduce(into: [String]()) { $0.append($1) }
            }
            try await Poll.eventually { old.monitor.counts.active == 2 && old.monitor.counts.waiting == 3 }
            gateway.upstreams.take(
                try self.routes(
                    "u0 http://127.0.0.1:\(port) prefixes=a/", "u1 http://127.0.0.1:\(ports[1]) prefixes=b/"), 2)
            #expect(await self.value(gateway.get("a/1")) == "next")
            gate.open()
            #expect(await answers == Array(repeating: "a", count: 5))
            // Then the old pool is closed.
            try await Poll.eventually { old.monitor.counts.active == 0 && old.monitor.counts.idle == 0 }
            #expect(a.requests.count == 5)
        }
        try await next.stop()
    }

    @Test func `have figures of their own`() async throws {
        let (a, b) = (Self.server("a"), Self.server("b"))
        try await withRoutedGateway([("a/", a), ("b/", b)]) { gateway, ports in
            func series(_ upstream: String) -> [String] {
                String(decoding: gateway.registry.render(), as: UTF8.self).split(separator: "\n").map(String.init)
                    .filter { $0.contains("upstream=\"\(upstream)\"") }
            }
            let requests = "gateway_upstream_requests_total{operation=\"get\",status=\"200\",upstream="
            #expect(await gateway.get("a/1").status == 200)
            #expect(series("u0").contains("\(requests)\"u0\"} 1"))
            let count = series("u0").count
            #expect(count > 100 && series("u1").count == count)
            // Another address is another upstream, although it has the name.
            gateway.upstreams.take(
                try self.routes(
                    "u0 http://127.0.0.1:\(ports[1]) prefixes=a/", "new http://127.0.0.1:\(ports[0]) prefixes=*"), 2)
            #expect(series("u1").isEmpty && series("new").count == count)
            #expect(series("u0").contains("\(requests)\"u0\"} 0"))
            #expect(await gateway.get("z").status == 200)
            #expect(series("new").contains("\(requests)\"new\"} 1"))
            let metrics = String(decoding: gateway.registry.render(), as: UTF8.self)
            #expect(metrics.contains("\nmetrics_registration_conflicts_total 0\n"))
            #expect(metrics.contains("\nmetrics_series_overflow_total 0\n"))
        }
    }

    @Test func `may be sixteen, all with all of their figures`() async throws {
        let routes = try RoutesParser.routes(
            (1...16).flatMap { Array("upstream-\($0) http://127.0.0.1:\($0) prefixes=\($0)/\n".utf8) })
        let gateway = try await RoutedGateway(routes)
        let metrics = String(decoding: gateway.registry.render(), as: UTF8.self)
        #expect(metrics.contains("\nmetrics_series_overflow_total 0\n"))
        #expect(metrics.contains("status=\"other\",upstream=\"upstream-16\"} 0\n"))
        try await gateway.shutDown()
    }

    // MARK: What cannot be put in force

    private func settings(_ folder: TemporaryFolder, _ lines: String) throws -> ResolvedSettings {
        let path = folder.file("routes")
        try FileText.write(lines, to: path)
        return try GatewaySettings.table.resolve(flags: ["routes-file": path], environment: [:])
    }

    @Test(arguments: [
        ("a http://127.0.0.1:1", "line 1, column 21 (a): the prefixes are missing"),
        ("a https://127.0.0.1:1 prefixes=*", "a is the first upstream with TLS, which can be begun by a restart only"),
        ("a http://127.0.0.1:8080 prefixes=*", "line 1, column 3 (a): 'http://127.0.0.1:8080' is the gateway's own"),
        (
            (1...4).map { "a\($0) http://127.0.0.1:\($0) prefixes=\($0)" }.joined(separator: "\n"),
            "the limit of open files leaves no connections for further upstreams"
        ),
    ])
    func `are refused as a whole with the reason`(lines: String, reason: String) async throws {
        let gateway = try await RoutedGateway(
            try self.routes("u0 http://127.0.0.1:1 prefixes=a"), budget: 7)
        let table = gateway.upstreams.table
        let folder = TemporaryFolder()
        let settings = try self.settings(folder, lines)
        let error = try #require(throws: ReloadError.self) { _ = try gateway.upstreams.reloads.prepare(settings) }
        #expect("\(error)".hasPrefix("--routes-file: ") && "\(error)".contains(reason), "\(error)")
        #expect(gateway.upstreams.table === table)
        let part = gateway.upstreams.reloads
        #expect(part.settings == ["routes-file"] && part.files(settings) == [folder.file("routes")])
        // What is right is put in force by what is returned, not before.
        let commit = try part.prepare(try self.settings(folder, "b http://127.0.0.1:2 prefixes=b"))
        #expect(gateway.upstreams.table === table)
        commit()
        #expect(gateway.upstreams.table.entries.map(\.route.name) == ["b"])
        let without = try GatewaySettings.table.resolve(flags: [:], environment: [:])
        let gone = try #require(throws: ReloadError.self) { _ = try part.prepare(without) }
        #expect("\(gone)" == "--routes-file: can be taken away by a restart only")
        try await gateway.shutDown()
    }

    @Test func `divide the connections that there are`() {
        let budget = ConnectionBudget(connections: 100, most: 64)
        #expect(budget.share(besides: [], of: 1) == 64)
        #expect(budget.share(besides: [], of: 2) == 50)
        #expect(budget.share(besides: [50], of: 2) == 25)
        #expect(budget.share(besides: [50, 48], of: 1) == 2)
        #expect(budget.share(besides: [50, 49], of: 1) == nil)
        #expect(budget.share(besides: [64, 64], of: 0) == 0)
    }

    // MARK: Readiness

    @Test func `of an upstream that is lost are a warning, of all a failure`() async throws {
        let down = Mutex<Set<String>>([])
        func server(_ name: String) -> FakeHTTPServer {
            FakeHTTPServer { _ in down.withLock { $0.contains(name) } ? [.close] : FakeAnswer.ready }
        }
        try await withRoutedGateway([("a/", server("a")), ("b/", server("b"))]) { gateway, _ in
            func failing() -> [String: String] {
                var failing: [String: String] = [:]
                for check in gateway.upstreams.checks { failing[check.name] = check.failure() }
                return failing
            }
            let checks = gateway.upstreams.checks
            #expect(checks.map(\.name) == ["any_upstream", "every_upstream"])
            #expect(checks.map(\.severity) == [.failure, .warning])
            // Before the first probe nothing is known of them.
            #expect(failing()["any_upstream"]?.contains("no upstream can be used: u0 cannot be reached at ") == true)
            #expect(gateway.upstreams.startProbes() != nil)
            try await Poll.eventually { failing().isEmpty }
            func lose(_ name: String, check: String) async throws {
                down.withLock { _ = $0.insert(name) }
                // Failed requests tell it sooner than probes.
                try await Poll.eventually {
                    _ = await gateway.get("\(name)/1")
                    return failing()[check] != nil
                }
            }
            try await lose("b", check: "every_upstream")
            #expect(failing()["every_upstream"]?.hasPrefix("u1 failed repeatedly") == true)
            #expect(failing()["any_upstream"] == nil)
            try await lose("a", check: "any_upstream")
            let all = try #require(failing()["any_upstream"])
            #expect(all.contains("u0 ") && all.contains("; u1 "))
        }
    }
}
