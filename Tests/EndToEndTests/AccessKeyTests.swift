import AccessControl
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    /// Both services with `--access-keys-file`.
    @Suite("Access keys at both services", .timeLimit(.minutes(10)))
    struct AccessKeyTests {
        static func field(_ key: String) -> (String, String) { ("Authorization", "Bearer \(key)") }

        private static func send(
            _ row: AccessRow, on connection: HTTPConnection, _ headers: [(String, String)], body: String? = nil
        ) throws -> HTTPAnswer {
            let body = body ?? row.body
            return try connection.request(
                row.method, row.target, headers: headers + (row.type.isEmpty ? [] : [("Content-Type", row.type)]),
                body: row.method == "GET" || row.method == "DELETE" ? nil : Array(body.utf8))
        }

        @Test(arguments: Front.allCases) func `every route of the service has a row here, and a decision`(
            _ front: Front
        ) throws {
            let locked = try LockedServices()
            let index = try locked.connect(front).request("GET", "/").json
            var there: Set<String> = ["GET /"]
            for endpoint in index.objects("endpoints") {
                let path = try #require(endpoint.string("path"))
                for method in endpoint.members["methods"] as? [String] ?? [] { there.insert("\(method) \(path)") }
            }
            let listed = AccessRow.all(of: front).map {
                "\($0.method) \($0.target.split(separator: "?").first ?? "")"
            }
            #expect(there == Set(listed))
            #expect(listed.count == Set(listed).count)
        }

        @Test(arguments: Front.allCases) func `without the role of a route nothing is done, on every route`(
            _ front: Front
        ) throws {
            let locked = try LockedServices()
            let file = locked.file(front)
            let setUp = try locked.connect(front)
            for (key, value) in [("there", "v"), ("number", "1")] {
                let answer = try setUp.request(
                    "PUT", "/\(front.rawValue)/set?key=\(key)",
                    headers: [Self.field(file["all"]), ("Content-Type", "application/octet-stream")],
                    body: Array(value.utf8))
                #expect(answer.status == 200)
            }
            let before = try locked.state()
            let random = AccessKey.random().text
            let unauthorized: [[(String, String)]] = [
                [], [Self.field(random)], [Self.field(file["expired"])], [Self.field("x")],
                [("Authorization", "Bearer")],
                [("Authorization", "Basic \(file["all"])")], [("Authorization", file["all"])],
                [Self.field(file["all"]), Self.field(file["all"])], [Self.field(file["all"] + "a")],
                [("X-Authorization", "Bearer \(file["all"])")],
            ]
            var denied = 0
            for row in AccessRow.all(of: front) {
                let connection = try locked.connect(front)
                for headers in unauthorized {
                    let answer = try Self.send(row, on: connection, headers)
                    if row.decision == .open {
                        #expect(answer.status == 200, "\(row.method) \(row.target)")
                        continue
                    }
                    denied += 1
                    #expect(answer.status == 401, "\(row.method) \(row.target) \(headers)")
                    #expect(
                        answer["WWW-Authenticate"]
                            == "Bearer realm=\"\(front == .kvService ? "kv-service" : "api-gateway")\"")
                    let problem = try answer.json
                    #expect(problem.string("code") == "unauthorized")
                    #expect(problem.string("applied") == (row.isWrite ? "no" : nil))
                }
                guard case .role(let needed) = row.decision else { continue }
                for role in AccessRole.allCases where !AccessRoles(role).permits(needed) {
                    let answer = try Self.send(row, on: connection, [Self.field(file[role.rawValue])])
                    denied += 1
                    #expect(answer.status == 403, "\(row.method) \(row.target) \(role)")
                    let problem = try answer.json
                    #expect(problem.string("code") == "forbidden")
                    #expect(problem.string("applied") == (row.isWrite ? "no" : nil))
                    // The answer to HEAD, which comes with GET, has the same status.
                    if row.method == "GET" {
                        let head = try connection.request(
                            "HEAD", row.target, headers: [Self.field(file[role.rawValue])])
                        denied += 1
                        #expect(head.status == 403)
                    }
                }
            }
            for target in ["/nowhere", "/\(front.rawValue)", "/admin/", "//admin", "/%61dmin"] {
                denied += 1
                #expect(try locked.connect(front).request("GET", target).status == 401, "\(target)")
                let known = try locked.connect(front).request("GET", target, headers: [Self.field(file["read"])])
                #expect(known.status == 404, "\(target)")
            }
            #expect(try locked.state() == before)
            let metrics = try setUp.request("GET", "/metrics", headers: [Self.field(file["monitor"])]).text
            let counted = metrics.split(separator: "\n").filter { $0.hasPrefix("http_access_denied_total") }
                .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
            #expect(counted.reduce(0, +) == denied)
            #expect(metrics.contains("\nhttp_client_requests_total{client=\"expired\"} "))
        }

        @Test(arguments: Front.allCases) func `with the role alone each route is used`(_ front: Front) throws {
            let locked = try LockedServices()
            let file = locked.file(front)
            for row in AccessRow.all(of: front) {
                guard case .role(let needed) = row.decision else { continue }
                for role in AccessRole.allCases where AccessRoles(role).permits(needed) {
                    let connection = try locked.connect(front)
                    let answer = try Self.send(
                        row, on: connection, [Self.field(file[role.rawValue])], body: row.permittedBody)
                    // 404: the key is not there.
                    #expect(
                        [200, 202].contains(answer.status) || (row.path == "DATA/get" && answer.status == 404),
                        "\(row.method) \(row.target) \(answer.text)")
                }
            }
        }

        @Test(arguments: Front.allCases) func `keys outside of the prefixes are neither read nor changed`(
            _ front: Front
        ) throws {
            let locked = try LockedServices()
            let file = locked.file(front)
            let (all, limited) = (Self.field(file["all"]), Self.field(file["limited"]))
            let connection = try locked.connect(front)
            let base = "/\(front.rawValue)"
            func post(_ path: String, _ body: String, _ who: (String, String)) throws -> HTTPAnswer {
                try connection.request(
                    "POST", base + path, headers: [who, ("Content-Type", AccessRow.json)], body: Array(body.utf8))
            }
            for key in ["own/1", "own/2", "own/3", "other/1", "own", "shared/1"] {
                #expect(try post("/set", #"{"key":"\#(key)","value":"secret"}"#, all).status == 200)
            }
            func get(_ target: String) throws -> HTTPAnswer {
                try connection.request("GET", base + target, headers: [limited])
            }
            let before = try locked.state()
            let refused: [HTTPAnswer] = [
                try get("/get?key=other/1"), try get("/get?key=own"), try get("/get?key=%6fther%2F1"),
                try get("/keys"), try get("/keys?prefix=own"), try get("/keys?start=own/&end=shared/2"),
                try get("/keys?start=own/"), try get("/watch?mode=poll&wait_ms=0"),
                try get("/watch?mode=poll&wait_ms=0&prefix=o"), try get("/watch?mode=poll&wait_ms=0&key=other/1"),
                try get("/watch?prefix=other/"), try post("/mget", #"{"keys":["own/1","other/1"]}"#, limited),
            ]
            for answer in refused {
                #expect(answer.status == 403 && !answer.text.contains("secret"), "\(answer.text)")
            }
            let refusedWrites: [HTTPAnswer] = [
                try post("/set", #"{"key":"other/1","value":"x"}"#, limited),
                try post("/incr", #"{"key":"other/n"}"#, limited),
                try connection.request("DELETE", "\(base)/delete?key=other/1", headers: [limited]),
                try post(
                    "/txn",
                    #"{"operations":[{"op":"set","key":"own/1","value":"x"},{"op":"delete","key":"other/1"}]}"#, limited
                ),
                try post(
                    "/txn",
                    #"{"checks":[{"key":"other/1","value":"secret"}],"operations":[{"op":"delete","key":"own/1"}]}"#,
                    limited),
                try post("/txn", #"{"operations":[{"op":"get","key":"other/1"}]}"#, limited),
            ]
            for answer in refusedWrites {
                #expect(answer.status == 403, "\(answer.text)")
                #expect(try answer.json.string("applied") == "no")
            }
            #expect(try locked.state() == before)
            let first = try get("/keys?prefix=own/&limit=2")
            let cursor = try #require(try first.json.string("cursor"))
            let second = try get("/keys?prefix=own/&limit=2&cursor=\(cursor)")
            #expect(
                try (first.json.objects("keys") + second.json.objects("keys")).map { $0.string("key") }
                    == ["own/1", "own/2", "own/3"])
            #expect(try post("/incr", #"{"key":"shared/n"}"#, limited).status == 200)
            #expect(try get("/watch?mode=poll&wait_ms=0&prefix=own/").status == 200)
        }

        @Test func `kv-service knows the gateway, and the gateway its clients`() throws {
            let locked = try LockedServices()
            let stream = try WatchStream(
                port: locked.services.gatewayPort, "/api/watch?prefix=own/",
                headers: ["Authorization: Bearer \(locked.clients["limited"])"])
            #expect(stream.head.hasPrefix("HTTP/1.1 200"))
            let connection = try locked.connect(.apiGateway)
            let set = try connection.request(
                "PUT", "/api/set?key=own/1",
                headers: [
                    Self.field(locked.clients["limited"]), ("Content-Type", "application/octet-stream"),
                    ("X-Request-Id", "by-a-client"),
                ], body: [1])
            #expect(set.status == 200)
            func name(_ service: ServiceProcess?) throws -> String? {
                try Poll.until("the request is logged") {
                    service?.log.first { $0.string("request_id") == "by-a-client" && $0.string("message") == "request" }
                }.string("client_name")
            }
            #expect(try name(locked.services.gateway) == "limited")
            #expect(try name(locked.services.kv) == "gateway")
        }

        @Test func `a gateway that kv-service refuses says so, and nothing is written`() throws {
            let folder = TemporaryFolder()
            let store = AccessKeysFile(in: folder, "store")
            store.add("all", [.read, .write])
            store.add("reader", .read)
            store.add("expired", [.read, .write], expiresAt: 1)
            try store.write()
            let kv = try Services.startKV(in: folder, ["--access-keys-file", store.path])
            let port = try kv.waitForPort()
            try kv.waitUntilReady(port: port)
            for name in ["expired", "reader", nil] {
                let gateway = try Services.startGateway(
                    in: folder, upstreamPort: port,
                    try name.map { ["--upstream-access-key-file", try store.keyFile($0)] } ?? [])
                let client = try KeyValueClient(port: try gateway.waitForPort(), through: .apiGateway)
                let answer = try client.set(Array("a".utf8), [1])
                #expect(answer.status == 502)
                #expect(try answer.json.string("code") == "upstream_access_denied")
                #expect(try answer.json.string("applied") == "no")
                let watch = try client.connection.request("GET", "/api/watch?mode=poll&wait_ms=0")
                #expect(watch.status == (name == "reader" ? 200 : 502), "\(watch.text)")
                let readiness = try client.connection.request("GET", "/readyz")
                #expect(readiness.text.contains(#""name":"upstream_access","status":"warning""#), "\(readiness.text)")
                #expect(try gateway.stop() == .exited(0))
            }
            let keys = try HTTPConnection(port: port).request(
                "GET", "/kv/keys", headers: [Self.field(store["all"])]
            ).json
            #expect(keys.objects("keys").isEmpty && keys.integer("revision") == 0)
        }

        @Test func `kvctl and kvtop have their access keys from files`() throws {
            let locked = try LockedServices()
            let (port, file) = (locked.services.kvPort, locked.atStore)
            func kvctl(_ arguments: String..., environment: [String: String] = [:]) throws -> ProgramRun {
                try ProgramRun(
                    "kvctl", arguments: arguments + ["--server", "http://127.0.0.1:\(port)"], environment: environment)
            }
            let refused = try kvctl("set", "a", "1")
            #expect(refused.status == 4 && refused.error.contains("unauthorized"))
            let path = try file.keyFile("all")
            #expect(try kvctl("set", "a", "1", "--access-key-file", path).status == 0)
            let variable = ["KVCTL_ACCESS_KEY_FILE": path]
            #expect(try kvctl("get", "a", environment: variable).output == "1")
            #expect(
                try kvctl("get", "a", "--access-key-file", try file.keyFile("write"), environment: variable).status == 1
            )
            #expect(try kvctl("status").status == 0)
            let backup = locked.folder.file("kv.tar")
            #expect(try kvctl("backup", "--output", backup, environment: variable).status == 0)
            let healthcheck = try ProgramRun("kv-service", arguments: ["healthcheck", "--listen", "127.0.0.1:\(port)"])
            #expect(healthcheck.status == 0)
            func kvtop(_ more: String...) throws -> ProgramRun {
                try ProgramRun(
                    "kvtop",
                    arguments: ["--kv", "http://127.0.0.1:\(port)", "--gateway", "none", "--once", "--json"] + more)
            }
            #expect(try kvtop().output.contains("HTTP 401"))
            let shown = try kvtop("--admin-token-file", try file.keyFile("monitor"))
            #expect(shown.status == 0 && !shown.output.contains("HTTP 401"))
        }

        @Test func `a service whose access keys cannot be read does not start`() throws {
            let folder = TemporaryFolder()
            let file = AccessKeysFile(in: folder, "keys")
            file.add("a", .read)
            try file.write()
            func start(_ arguments: String...) throws -> String {
                let process = try Services.startKV(in: folder, arguments)
                #expect(try process.child.waitForEnd() == .exited(78))
                return process.child.output
            }
            let token = folder.file("token")
            try FileText.write("0123456789abcdef", to: token)
            #expect(
                try start("--access-keys-file", file.path, "--admin-token-file", token)
                    .contains("actions need an access key with the role admin"))
            #expect(chmod(file.path, 0o644) == 0)
            #expect(try start("--access-keys-file", file.path).contains("chmod 600 \(file.path)"))
            #expect(chmod(file.path, 0o600) == 0)
            try FileText.append(bytes: Array("b sha256:\n".utf8), to: file.path)
            #expect(try start("--access-keys-file", file.path).contains("line 2, column 3 (b)"))
            let gateway = try Services.startGateway(in: folder, upstreamPort: 1, ["--upstream-access-key-file", token])
            #expect(try gateway.child.waitForEnd() == .exited(78))
            #expect(gateway.child.output.contains("contains no access key"))
        }
    }
}
