import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Programs say what is wrong before they start", .timeLimit(.minutes(10)))
    struct ConfigurationTests {
        private func run(
            _ program: ServiceProcess.Program,
            _ arguments: [String],
            environment: [String: String] = [:]
        ) throws -> (ending: Ending, output: String) {
            let folder = TemporaryFolder()
            let process = try ServiceProcess(
                program,
                arguments,
                output: folder.file("output"),
                environment: environment
            )
            return (try process.child.waitForEnd(), process.child.output)
        }

        @Test(arguments: [
            ["--sync", "alway"], ["--listen", ":80"], ["--log-level", "loud"], ["--max-key-bytes", "many"],
            ["--shutdown-timeout", "10"], ["--segment-bytes", "0"], ["--max-connections", "0"],
            ["--event-loops", "0"],
        ])
        func `a value that does not parse ends kv-service with 78 and names the setting`(arguments: [String]) throws {
            for subcommand in ["serve", "check-config"] {
                let (ending, output) = try self.run(.kvService, [subcommand] + arguments)
                #expect(ending == .exited(78), "\(output)")
                #expect(output.contains("\(arguments[0]): '\(arguments[1])' is not"), "\(output)")
                #expect(output.contains("from flag \(arguments[0])"), "\(output)")
            }
        }

        @Test func `all errors come at once, with their sources`() throws {
            let folder = TemporaryFolder()
            let file = folder.file("gateway.json")
            try FileText.write(#"{"log-level": "loud", "lisen": "x", "max-connections": "2"}"#, to: file)
            let environment = ["GATEWAY_CONFIG": file, "GATEWAY_LISTEN": "nowhere"]
            let (ending, output) = try self.run(
                .apiGateway,
                ["--upstream-timeout", "soon"],
                environment: environment
            )
            #expect(ending == .exited(78))
            for part in [
                "--log-level: 'loud' is not one of", "from \"log-level\" in \(file)", "\"lisen\" is not a setting",
                "did you mean \"listen\"?", "--max-connections: is a JSON string instead of a JSON number",
                "--listen: 'nowhere' is not an address", "from environment variable GATEWAY_LISTEN",
                "--upstream-timeout: 'soon' is not",
            ] {
                #expect(output.contains(part), "'\(part)' is missing in:\n\(output)")
            }
        }

        @Test(arguments: [
            (text: "{", part: "is not one JSON object"), (text: #"{"listen":"a:1","listen":"a:1"}"#, part: "listen"),
            (text: #"{"listen":{"host":"a"}}"#, part: "is not one JSON object"),
            (text: #"{"max-connections":1.5}"#, part: "--max-connections: '1.5' is not a whole number"),
            (text: #"{"listen":null}"#, part: "--listen: is null"), (text: "", part: "is not one JSON object"),
        ])
        func `a config file with anything wrong in it is refused`(text: String, part: String) throws {
            let folder = TemporaryFolder()
            let file = folder.file("kv.json")
            try FileText.write(text, to: file)
            let (ending, output) = try self.run(.kvService, ["check-config", "--config", file])
            #expect(ending == .exited(78))
            #expect(output.contains(part), "\(output)")
            let (missing, reason) = try self.run(.kvService, ["check-config", "--config", folder.file("none")])
            #expect(missing == .exited(78))
            #expect(reason.contains("No such file or directory"), "\(reason)")
        }

        @Test func `check-config shows each effective value and its source`() throws {
            let folder = TemporaryFolder()
            let file = folder.file("kv.json")
            try FileText.write(#"{"log-level": "debug", "max-key-bytes": 512, "sync": "never"}"#, to: file)
            let (ending, output) = try self.run(
                .kvService,
                ["check-config", "--config", file, "--listen", "127.0.0.1:0"],
                environment: ["KV_SYNC": "interval:50", "KV_LISTENN": "x"]
            )
            #expect(ending == .exited(0), "\(output)")
            let rows = output.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 2).map(String.init) }
            func row(_ name: String) -> String {
                rows.first { $0.first == name }?.dropFirst().joined(separator: " ") ?? ""
            }
            #expect(row("listen").contains("127.0.0.1:0"))
            #expect(row("listen").hasSuffix("flag --listen"))
            #expect(row("sync").hasPrefix("interval:50"))
            #expect(row("sync").hasSuffix("environment KV_SYNC"))
            #expect(row("log-level").hasPrefix("debug"))
            #expect(row("max-key-bytes").hasSuffix("file \(file)"))
            #expect(row("max-value-bytes").hasSuffix("default"))
            #expect(output.contains("KV_LISTENN is not a setting, did you mean KV_LISTEN?"))
        }

        @Test(arguments: [ServiceProcess.Program.kvService, .apiGateway])
        func `help, version and wrong use are as a person expects`(program: ServiceProcess.Program) throws {
            let (help, text) = try self.run(program, ["--help"])
            #expect(help == .exited(0))
            for part in ["--listen", "LISTEN, default", "EXIT CODES", "EXAMPLES", "healthcheck", "check-config"] {
                #expect(text.contains(part), "\(part)")
            }
            let (version, line) = try self.run(program, ["--version"], environment: ["TXLOG_KV_COMMIT": "abc123"])
            #expect(version == .exited(0))
            #expect(line.hasPrefix("\(program.rawValue) 0."))
            #expect(line.contains("abc123"))
            #expect(try self.run(program, ["--lissen", "127.0.0.1:1"]).ending == .exited(64))
            #expect(try self.run(program, ["nonsense"]).ending == .exited(64))
            #expect(try self.run(program, ["--generate-completion-script", "bash"]).output.contains("--admin-listen"))
        }

        @Test func `healthcheck tells whether the service is ready`() throws {
            let services = try Services()
            let ports = [(ServiceProcess.Program.kvService, services.kvPort), (.apiGateway, services.gatewayPort)]
            for (program, port) in ports {
                #expect(try self.run(program, ["healthcheck", "--listen", "127.0.0.1:\(port)"]).ending == .exited(0))
                #expect(try self.run(program, ["healthcheck", "--listen", "0.0.0.0:\(port)"]).ending == .exited(0))
            }
            _ = try services.stop()
            for (program, port) in ports {
                let (ending, output) = try self.run(program, ["healthcheck", "--listen", "127.0.0.1:\(port)"])
                #expect(ending == .exited(1))
                #expect(output.contains("Connection refused"), "\(output)")
                #expect(output.split(separator: "\n").count == 1)
            }
        }

        /// In its own PID namespace, like a container: other services may run on this host.
        @Test(.enabled(if: geteuid() == 0, "only root can make a namespace"))
        func `healthcheck --running follows the flags, the environment and the file of the service`() throws {
            let script = """
                "$@" &
                for attempt in $(seq 100); do
                    "$1" healthcheck --running && exit 0
                    kill -0 $! || exit 1
                    sleep 0.05
                done
                exit 1
                """
            let wrapper = ["/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "/bin/sh", "-c", script, "sh"]
            let services = try Services(withGateway: false)
            let folder = TemporaryFolder()
            let port = try FreePort.find()
            let file = folder.file("config.json")
            try FileText.write(#"{"listen": "0.0.0.0:\#(port)", "insecure-remote-access": true}"#, to: file)
            for program in [ServiceProcess.Program.kvService, .apiGateway] {
                let isStore = program == .kvService
                let rest =
                    isStore
                    ? ["--data-dir", folder.file("kv")] : ["--upstream", "http://127.0.0.1:\(services.kvPort)"]
                let variable = ["\(isStore ? "KV" : "GATEWAY")_LISTEN": "127.0.0.1:\(port)"]
                let places: [([String], [String: String])] = [
                    (["serve", "--listen", "127.0.0.1:\(port)"], [:]), ([], variable), (["--config", file], [:]),
                ]
                for (arguments, environment) in places {
                    let process = try ServiceProcess(
                        program, arguments + rest, output: folder.file("output-\(UInt32.random(in: 0 ... .max))"),
                        environment: environment, wrapper: wrapper)
                    let ending = try process.child.waitForEnd()
                    let output = process.child.output
                    #expect(ending == .exited(0), "\(arguments): \(output)")
                    #expect(output.contains("ready: http://127.0.0.1:\(port)/readyz answered 200"), "\(output)")
                }
            }
            let alone = try ServiceProcess(
                .kvService, ["healthcheck", "--running"], output: folder.file("output"),
                wrapper: ["/usr/bin/unshare", "--pid", "--fork", "--mount-proc"])
            #expect(
                try alone.child.waitForEnd() == .exited(1) && alone.child.output.contains("no such process runs here"))
            let both = try self.run(.kvService, ["healthcheck", "--running", "--listen", "127.0.0.1:1"])
            #expect(both.ending == .exited(64), "\(both.output)")
        }

        @Test func `connections are served by one thread for each core that the process may use`() throws {
            let folder = TemporaryFolder()
            let status = try FileText.text("/proc/self/status").split(separator: "\n")
            let allowed = try #require(status.first { $0.hasPrefix("Cpus_allowed_list:") }).split(separator: "\t")[1]
            let core = String(allowed.prefix { $0.isNumber })
            let service = try ServiceProcess(
                .kvService, ["--listen", "127.0.0.1:0", "--data-dir", folder.file("kv"), "--segment-bytes", "1MiB"],
                output: folder.file("output"), wrapper: ["/usr/bin/taskset", "--cpu-list", core])
            try service.waitUntilReady(port: try service.waitForPort())
            let names = try Tool.run(
                "/bin/ps", ["-L", "-o", "comm=", "-p", "\(service.child.pid)"], in: folder
            ).output.split(separator: "\n")
            #expect(names.count { $0.hasPrefix("NIO-ELT") } == 1, "\(names)")
            _ = try service.stop()
        }

        @Test func `an address that is taken ends the service with 69 and is named`() throws {
            let services = try Services()
            let folder = TemporaryFolder()
            let taken = "127.0.0.1:\(services.kvPort)"
            let second = try Services.startKV(in: folder, listen: taken)
            #expect(try second.child.waitForEnd() == .exited(69), "\(second.child.output)")
            #expect(second.child.output.contains(taken), "\(second.child.output)")
            #expect(second.child.output.contains("in use"), "\(second.child.output)")
            let (gateway, output) = try self.run(.apiGateway, ["--listen", taken])
            #expect(gateway == .exited(69), "\(output)")
            #expect(output.contains(taken), "\(output)")
        }

        @Test func `a second process on one data folder ends with 75 and says who holds it`() throws {
            let services = try Services(withGateway: false)
            let second = try Services.startKV(in: services.folder)
            #expect(try second.child.waitForEnd() == .exited(75), "\(second.child.output)")
            #expect(second.child.output.contains("\(services.kv.child.pid)"), "\(second.child.output)")
            #expect(second.child.output.contains(services.folder.path), "\(second.child.output)")
            let client = try KeyValueClient(services, through: .kvService)
            #expect(try client.set([1], [1]).status == 200)
        }

        @Test func `a data folder that cannot be used ends kv-service with 74`() throws {
            let folder = TemporaryFolder()
            try FileText.write("a file", to: folder.file("kv"))
            let process = try Services.startKV(in: folder)
            #expect(try process.child.waitForEnd() == .exited(74), "\(process.child.output)")
            #expect(process.child.output.contains(folder.file("kv")), "\(process.child.output)")
        }

        @Test func `operators' documents and actions take no query parameter, probes and scrapes any`() throws {
            let services = try Services()
            for port in [services.kvPort, services.gatewayPort] {
                let connection = try HTTPConnection(port: port)
                let routes = [
                    ("GET", "/admin"), ("GET", "/admin/config"), ("GET", "/admin/log-level"),
                    ("POST", "/admin/log-level"),
                ]
                for (method, path) in routes {
                    let body: [UInt8]? = method == "POST" ? Array(#"{"level":"error"}"#.utf8) : nil
                    let answer = try connection.request(method, "\(path)?level=debug", body: body)
                    #expect(answer.status == 400, "\(path)")
                    #expect(try answer.json.string("code") == "unknown_parameter", "\(path)")
                }
                #expect(try connection.request("GET", "/admin/log-level").json.string("level") == "info")
                for path in ["/metrics", "/health", "/livez", "/readyz"] {
                    #expect(try connection.request("GET", "\(path)?target=x&y").status == 200, "\(path)")
                }
            }
        }

        @Test func `the configuration shows a log level that was changed, and where`() throws {
            let services = try Services(kvArguments: ["--log-level", "notice"])
            func logLevel(_ connection: HTTPConnection) throws -> [String?] {
                let document = try connection.request("GET", "/admin/config").json
                let settings = document.members["settings"] as? [[String: Any]] ?? []
                let setting = settings.first { $0["name"] as? String == "log-level" }
                return [setting?["value"] as? String, setting?["source"] as? String]
            }
            for (port, before) in [
                (services.kvPort, ["notice", "flag"]), (services.gatewayPort, ["info", "default"]),
            ] {
                let connection = try HTTPConnection(port: port)
                #expect(try logLevel(connection) == before)
                let body = Array(#"{"level":"debug"}"#.utf8)
                #expect(try connection.request("POST", "/admin/log-level", body: body).status == 200)
                #expect(try logLevel(connection) == ["debug", "admin"])
            }
        }
    }
}
