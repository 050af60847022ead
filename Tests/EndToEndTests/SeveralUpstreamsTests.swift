import Glibc
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite("A gateway in front of several kv-services", .timeLimit(.minutes(10)))
    struct SeveralUpstreamsTests {
        // MARK: Requests

        @Test func `sends each request where its keys are`() throws {
            let services = try RoutedServices(["orders": "orders/,carts/", "main": "*"])
            let connection = try services.gatewayConnection()
            for (key, name) in [("orders/1", "orders"), ("carts/1", "orders"), ("order", "main"), ("z", "main")] {
                #expect(try connection.set(key).status == 200)
                #expect(try services.has(key, name) && !services.has(key, name == "main" ? "orders" : "main"), "\(key)")
                #expect(try connection.request("GET", "/api/get?key=\(key)").status == 200)
            }
            #expect(try connection.request("DELETE", "/api/delete?key=carts/1").json.bool("deleted") == true)
            #expect(try !services.has("carts/1", "orders"))
            let increment = try services.post(connection, "/api/incr", #"{"key":"orders/n","delta":4}"#)
            #expect(try increment.json.string("value") == "4", "\(increment.text)")
            #expect(try services.has("orders/n", "orders"))
            let several = try services.post(connection, "/api/mget", #"{"keys":["orders/1","orders/n"]}"#)
            #expect(try several.status == 200 && several.json.objects("values").count == 2)
            let transaction = try services.post(
                connection, "/api/txn",
                #"{"checks":[{"key":"z","present":true}],"operations":[{"op":"set","key":"y","value":"1"}]}"#)
            #expect(transaction.status == 200, "\(transaction.text)")
            #expect(try services.has("y", "main") && !services.has("y", "orders"))
            let page = try connection.request("GET", "/api/keys?prefix=orders/")
            #expect(try page.json.objects("keys").compactMap { $0.string("key") } == ["orders/1", "orders/n"])
            // The keys of main behind those of orders.
            let rest = try connection.request("GET", "/api/keys?start=orders0")
            #expect(try rest.json.objects("keys").compactMap { $0.string("key") } == ["y", "z"])
            let watch = try WatchStream(port: services.gatewayPort, "/api/watch?prefix=orders/&since=0")
            #expect(watch.status == 200)
            #expect(try watch.nextEvent()?.data.contains("orders/1") == true)
            let line = try services.requestLine { $0.string("handler") == "api_incr" }
            #expect(line.string("upstream") == "orders")
            try services.stop()
        }

        @Test func `refuses what spans two of them, and changes neither`() throws {
            let services = try RoutedServices(["orders": "orders/", "users": "users/"])
            let connection = try services.gatewayConnection()
            for key in ["orders/1", "users/1"] {
                #expect(try connection.set(key).status == 200)
            }
            let before = try services.revisions()
            let set = #"{"op":"set","key":"orders/1","value":"x"},{"op":"delete","key":"users/1"}"#
            let refused: [(HTTPAnswer, code: String, isWrite: Bool)] = [
                (try services.post(connection, "/api/txn", "{\"operations\":[\(set)]}"), "spans_upstreams", true),
                (
                    try services.post(connection, "/api/mget", #"{"keys":["orders/1","users/1"]}"#), "spans_upstreams",
                    false
                ),
                (try connection.request("GET", "/api/keys"), "spans_upstreams", false),
                (try connection.request("GET", "/api/watch?prefix="), "spans_upstreams", false),
                (try connection.request("GET", "/api/get?key=other"), "no_upstream", false),
                (try connection.request("DELETE", "/api/delete?key=other"), "no_upstream", true),
                (try services.post(connection, "/api/incr", #"{"key":"other"}"#), "no_upstream", true),
                (try connection.set("other"), "no_upstream", true),
            ]
            for (answer, code, isWrite) in refused {
                #expect(try answer.status == 400 && answer.json.string("code") == code, "\(answer.text)")
                #expect(try answer.json.string("applied") == (isWrite ? "no" : nil), "\(answer.text)")
                if code == "spans_upstreams" { #expect(answer.text.contains("orders, users"), "\(answer.text)") }
            }
            #expect(try services.revisions() == before)
            try services.stop()
        }

        // MARK: Failures

        @Test func `fails only the keys of one that is lost`() throws {
            let services = try RoutedServices(["orders": "orders/", "users": "users/"])
            let connection = try services.gatewayConnection()
            func status(_ key: String) throws -> Int {
                try connection.set(key).status
            }
            #expect(try status("orders/1") == 200 && status("users/1") == 200)
            try services.upstreams["users"]?.process.crash()
            #expect(try status("users/1") >= 502)
            _ = try Poll.until("the gateway knows that users is lost") {
                try AdminDocuments.get(services.gatewayPort, "/admin").objects("upstreams")
                    .first { $0.string("name") == "users" && $0.bool("up") == false }
            }
            #expect(try status("orders/2") == 200)
            let ready = try Poll.until("the check warns") {
                let answer = try connection.request("GET", "/readyz")
                return try answer.json.objects("checks").contains { $0.string("status") == "warning" } ? answer : nil
            }
            #expect(ready.status == 200)
            let checks = try ready.json.objects("checks")
            #expect(checks.first { $0.string("name") == "any_upstream" }?.string("status") == "ok")
            #expect(
                checks.first { $0.string("name") == "every_upstream" }?.string("message")?.hasPrefix("users ") == true)
            #expect(try services.gauge(#"gateway_upstream_up{upstream="orders"}"#) == 1)
            #expect(try services.gauge(#"gateway_upstream_up{upstream="users"}"#) == 0)
            let event = try AdminDocuments.event("upstream_lost", services.gatewayPort)
            #expect(event.object("details").string("upstream") == "users")
            if AdminDocuments.canValidate {
                #expect(
                    try AdminDocuments.findings(.apiGateway, port: services.gatewayPort, in: services.folder) == "")
            }
            try services.stop()
        }

        // MARK: Reloads

        @Test func `takes other routes under load without a failed request`() throws {
            let services = try RoutedServices(["orders": "orders/", "main": "*"])
            try services.add("archive")
            let (load, threads, port) = (RoutedLoad(), Threads(), services.gatewayPort)
            for key in ["orders/a", "orders/archive/a", "users/a", "x"] { threads.start { load.run(key, port: port) } }
            defer { load.stop() }
            func reload(_ routes: [String: String]) throws {
                let before = try services.reloads()
                try services.write(routes)
                _ = try Poll.until("the routes are read") { try services.reloads() > before ? true : nil }
                let requests = load.requests
                _ = try Poll.until("requests go on") { load.requests > requests + 200 ? true : nil }
            }
            _ = try Poll.until("requests are answered") { load.requests > 200 ? true : nil }
            // Adds an upstream, moves a prefix, and removes an upstream.
            try reload(["orders": "orders/", "archive": "orders/archive/", "main": "*"])
            try reload(["orders": "orders/,users/", "archive": "orders/archive/", "main": "*"])
            #expect(try services.has("orders/archive/a", "archive") && services.has("users/a", "orders"))
            try reload(["archive": "orders/", "main": "*"])
            load.stop()
            threads.join()
            #expect(load.requests > 800 && load.failures.isEmpty, "\(load.failures.prefix(5))")
            #expect(try services.has("orders/a", "archive"))
            // The connections to the one that is gone are closed.
            _ = try Poll.until("orders has no connection but this one") {
                try services.gauge("http_connections", services.port("orders")) == 1 ? true : nil
            }
            #expect(try services.gauge(#"gateway_upstream_up{upstream="orders"}"#) == nil)
            #expect(try services.gauge(#"gateway_upstream_up{upstream="archive"}"#) == 1)
            try services.stop()
        }

        @Test func `ends watches of keys that move, and keeps the old routes if the file is wrong`() throws {
            let services = try RoutedServices(["orders": "orders/", "main": "*"])
            let moved = try WatchStream(port: services.gatewayPort, "/api/watch?prefix=orders/")
            let kept = try WatchStream(port: services.gatewayPort, "/api/watch?key=x")
            guard case .comment? = try moved.next(), case .comment? = try kept.next() else {
                Issue.record("watches that do not begin")
                return
            }
            try FileText.write("orders http://127.0.0.1:1 prefix=orders/\n", to: services.file)
            services.gateway.child.signal(SIGHUP)
            let refusal = try services.gateway.waitForLog("configuration not reloaded: everything stays as it was")
            let reason = "line 1, column 27 (orders): only prefixes= follows the URL, once"
            #expect(refusal.string("error")?.hasSuffix(reason) == true, "\(refusal)")
            let connection = try services.gatewayConnection()
            #expect(try connection.set("orders/1").status == 200)
            #expect(try moved.nextEvent()?.name == "change")

            try services.write(["main": "*"])
            let end = try #require(try moved.nextEvent())
            #expect(end.name == "end" && end.data.contains(#""code":"moved""#), "\(end)")
            #expect(try moved.next() == nil && moved.isComplete)
            #expect(try connection.set("x").status == 200)
            #expect(try kept.nextEvent()?.name == "change")
            try services.stop()
        }

        // MARK: Settings

        @Test func `check-config shows the routes, or what is wrong with them`() throws {
            let folder = TemporaryFolder()
            let file = folder.file("routes")
            func run(_ text: String, _ arguments: String...) throws -> (ending: Ending, output: String) {
                try FileText.write(text, to: file)
                let process = try ServiceProcess(
                    .apiGateway, ["check-config", "--routes-file", file] + arguments, output: folder.file("output"))
                return (try process.child.waitForEnd(), process.child.output)
            }
            let good = "orders http://127.0.0.1:8082 prefixes=orders/,carts/\nmain http://127.0.0.1:8081 prefixes=*\n"
            let (ending, output) = try run(good)
            #expect(ending == .exited(0))
            #expect(
                output.hasSuffix(
                    """

                    UPSTREAM  URL                    PREFIXES
                    orders    http://127.0.0.1:8082  orders/,carts/
                    main      http://127.0.0.1:8081  *

                    """), "\(output)")
            let wrong = [
                (try run("orders http://127.0.0.1:8082\n"), "line 1, column 29 (orders): the prefixes are missing"),
                (
                    try run("a http://127.0.0.1:8080 prefixes=*\n"),
                    "line 1, column 3 (a): 'http://127.0.0.1:8080' is the gateway's own listen address"
                ),
                (
                    try run(good, "--upstream", "http://127.0.0.1:1"),
                    "--routes-file: names the upstreams, and --upstream is set too: leave one out"
                ),
                (
                    try run(good, "--upstream-tls-ca-file", "ca.pem"),
                    "line 1, column 8 (orders): 'http://127.0.0.1:8082' is plain HTTP, and --upstream-tls-… is set"
                ),
            ]
            for ((ending, output), reason) in wrong {
                #expect(ending == .exited(78) && output.contains(reason), "\(output)")
            }
        }
    }
}

extension HTTPConnection {
    fileprivate func set(_ key: String) throws -> HTTPAnswer {
        try self.request(
            "PUT", "/api/set?key=\(key)", headers: [("Content-Type", "application/octet-stream")], body: [1])
    }
}

/// kv-services behind one gateway with a routes file.
private final class RoutedServices {
    let folder = TemporaryFolder()
    let file: String
    private(set) var upstreams: [String: (process: ServiceProcess, port: UInt16)] = [:]
    let gateway: ServiceProcess
    let gatewayPort: UInt16

    /// - Parameter routes: the prefixes of each upstream, by its name.
    init(_ routes: [String: String]) throws {
        self.file = self.folder.file("routes")
        for name in routes.keys { self.upstreams[name] = try Self.start(name, self.folder) }
        try FileText.write(Self.text(routes, self.upstreams), to: self.file)
        self.gateway = try ServiceProcess(
            .apiGateway, ["--listen", "127.0.0.1:0", "--routes-file", self.file],
            output: self.folder.file("gateway.log"))
        self.gatewayPort = try self.gateway.waitForPort()
        try self.gateway.waitUntilReady(port: self.gatewayPort)
        // Not only one of them.
        _ = try Poll.until("all upstreams are up") {
            try AdminDocuments.get(self.gatewayPort, "/admin").objects("upstreams")
                .allSatisfy { $0.bool("up") == true } ? true : nil
        }
    }

    private static func start(
        _ name: String, _ folder: TemporaryFolder
    ) throws -> (process: ServiceProcess, port: UInt16) {
        let process = try ServiceProcess(
            .kvService,
            ["--listen", "127.0.0.1:0", "--data-dir", folder.file(name), "--segment-bytes", "4MiB"],
            output: folder.file("\(name).log"))
        let port = try process.waitForPort()
        try process.waitUntilReady(port: port)
        return (process, port)
    }

    private static func text(
        _ routes: [String: String], _ upstreams: [String: (process: ServiceProcess, port: UInt16)]
    ) -> String {
        // The upstreams are named in the details of refusals in the order of the keys, not of the file.
        routes.sorted { $0.key < $1.key }.map { name, prefixes in
            "\(name) http://127.0.0.1:\(upstreams[name]?.port ?? 0) prefixes=\(prefixes)\n"
        }.joined()
    }

    /// A further kv-service, which no route names yet.
    func add(_ name: String) throws { self.upstreams[name] = try Self.start(name, self.folder) }

    func write(_ routes: [String: String]) throws {
        try FileText.write(Self.text(routes, self.upstreams), to: self.file)
        self.gateway.child.signal(SIGHUP)
    }

    func port(_ name: String) throws -> UInt16 { try #require(self.upstreams[name]).port }

    func gatewayConnection() throws -> HTTPConnection { try HTTPConnection(port: self.gatewayPort) }

    func post(_ connection: HTTPConnection, _ path: String, _ body: String) throws -> HTTPAnswer {
        try connection.request(
            "POST", path, headers: [("Content-Type", "application/json")], body: Array(body.utf8))
    }

    /// Whether a kv-service has a key, asked directly.
    func has(_ key: String, _ name: String) throws -> Bool {
        try HTTPConnection(port: self.port(name)).request("GET", "/kv/get?key=\(key)").status == 200
    }

    /// The revision of each store, in the order of the names.
    func revisions() throws -> [Int] {
        try self.upstreams.keys.sorted().map { name in
            try HTTPConnection(port: self.port(name)).request("GET", "/kv/keys?limit=1").json.integer("revision") ?? -1
        }
    }

    /// Successful reloads of the gateway.
    func reloads() throws -> Double {
        try self.gauge(#"config_reloads_total{result="success"}"#) ?? -1
    }

    /// A series of a service, by default of the gateway; nil if there is none.
    func gauge(_ series: String, _ port: UInt16? = nil) throws -> Double? {
        try HTTPConnection(port: port ?? self.gatewayPort).request("GET", "/metrics").text.split(separator: "\n")
            .first { $0.hasPrefix(series + " ") }.flatMap { Double($0.split(separator: " ")[1]) }
    }

    /// An access line of the gateway.
    func requestLine(_ isIt: (JSONObject) -> Bool) throws -> JSONObject {
        try Poll.until("there is the access line") {
            self.gateway.log.first { $0.string("message") == "request" && isIt($0) }
        }
    }

    func stop() throws {
        #expect(try self.gateway.stop() == .exited(0))
        for (process, _) in self.upstreams.values where process.child.endingIfEnded() == nil {
            #expect(try process.stop() == .exited(0))
        }
    }
}

/// Sets and gets of some keys, by a client for each, until it is stopped.
private final class RoutedLoad: Sendable {
    private struct State {
        var requests = 0
        var failures: [String] = []
        var isStopped = false
    }

    private let state = Mutex(State())

    var requests: Int { self.state.withLock { $0.requests } }

    func run(_ key: String, port: UInt16) {
        do {
            let connection = try HTTPConnection(port: port)
            while !self.state.withLock({ $0.isStopped }) {
                let set = try connection.set(key)
                // After a move there is nothing, if the get comes before the first set.
                let get = try connection.request("GET", "/api/get?key=\(key)")
                self.state.withLock { state in
                    state.requests += 2
                    if set.status != 200 { state.failures.append("set: \(set.text)") }
                    if get.status != 200, get.status != 404 { state.failures.append("get: \(get.text)") }
                }
            }
        } catch {
            self.state.withLock { $0.failures.append("\(error)") }
        }
    }

    func stop() { self.state.withLock { $0.isStopped = true } }

    var failures: [String] { self.state.withLock { $0.failures } }
}
