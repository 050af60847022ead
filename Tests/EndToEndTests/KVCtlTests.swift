import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("kvctl and the services", .timeLimit(.minutes(10)))
    struct KVCtlTests {
        private static func run(
            _ port: UInt16, _ arguments: String..., input: [UInt8] = [], under setting: String = ":"
        ) throws -> ProgramRun {
            try ProgramRun(
                "kvctl", under: setting, arguments: arguments, input: input,
                environment: ["KVCTL_SERVER": "http://127.0.0.1:\(port)"])
        }

        @Test func `all of it works through both services`() throws {
            let services = try Services()
            var generator = SeededGenerator(printingFor: #function)
            for port in [services.kvPort, services.gatewayPort] {
                let value = generator.bytes(60_000)
                #expect(try Self.run(port, "set", "photo", input: value).status == 0)
                #expect(try Self.run(port, "get", "photo").bytes == value)
                #expect(try Self.run(port, "set", "--key-b64", "/wA=", "text").status == 0)
                let json = try Self.run(port, "get", "--key-b64", "/wA=", "--json").json
                #expect(json.string("key_b64") == "/wA=" && json.string("value") == "text")
                let revision = try #require(json.integer("revision"))
                #expect(try Self.run(port, "set", "photo", "x", "--if-absent").status == 3)
                #expect(try Self.run(port, "set", "--key-b64", "/wA=", "y", "--if-revision", "\(revision)").status == 0)
                #expect(try Self.run(port, "set", "--key-b64", "/wA=", "z", "--if-revision", "\(revision)").status == 3)
                #expect(try Self.run(port, "keys").bytes == Array("photo\n".utf8) + [0xFF, 0, 10])
                #expect(try Self.run(port, "keys", "--prefix", "ph", "--json").json.string("key") == "photo")
                #expect(try Self.run(port, "keys", "--count").output == "2\n")
                #expect(try Self.run(port, "delete", "photo", "--if-revision", "1000000").status == 3)
                #expect(try Self.run(port, "delete", "photo").status == 0)
                #expect(try Self.run(port, "delete", "photo").status == 2)
                #expect(try Self.run(port, "get", "photo").status == 2)
                #expect(try Self.run(port, "set", "big", input: generator.bytes(100_000)).status == 4)
                #expect(try Self.run(port, "status", "--json").json.bool("ready") == true)
            }
            #expect(try services.stop() == [.exited(0), .exited(0)])
            #expect(try Self.run(services.kvPort, "get", "photo").status == 6)
            #expect(try Self.run(services.kvPort, "status").status == 6)
        }

        @Test func `what is exported can be imported, byte for byte, also by txlog`() throws {
            let services = try Services()
            var generator = SeededGenerator(printingFor: #function)
            let folder = services.folder
            let lines = (0..<1_500).map { number -> String in
                let key = Base64Text.encoded([UInt8(number >> 8), UInt8(number & 0xFF)] + generator.bytes(3))
                let value = Base64Text.encoded(generator.bytes(Int.random(in: 0...700, using: &generator)))
                return #"{"key_b64":"\#(key)","value_b64":"\#(value)"}"# + "\n"
            }
            try FileText.write(lines.joined(), to: folder.file("in"))
            let imported = try Self.run(services.gatewayPort, "import", folder.file("in"), "--parallel", "64")
            #expect(imported.status == 0 && imported.output == "1500 records imported\n", "\(imported.error)")
            let file = try Self.run(
                services.kvPort, "export", "--output", folder.file("out"), "--resume", folder.file("place"))
            #expect(file.status == 0 && file.error.contains("1500 records written"), "\(file.error)")
            let stream = try Self.run(services.gatewayPort, "export")
            #expect(stream.bytes == (try FileText.bytes(folder.file("out"))))
            #expect(stream.output.split(separator: "\n").count == 1_500)
            #expect(try services.stop() == [.exited(0), .exited(0)])

            // Into a new store with txlog, and out of it again.
            let other = TemporaryFolder()
            let txlog = try ProgramRun("txlog", arguments: ["import", other.file("kv"), folder.file("out")])
            #expect(txlog.status == 0, "\(txlog.error)")
            let exported = try ProgramRun("txlog", arguments: ["export", other.file("kv")])
            let withoutRevisions = { (text: String) in text.replacing(/,"revision":\d+/, with: "") }
            #expect(withoutRevisions(exported.output) == withoutRevisions(stream.output))
        }

        /// The page's transaction needs a service that has them.
        @Test func `Docs/Kvctl.md shows what the commands print`() throws {
            let services = try Services()
            let folder = TemporaryFolder()
            let page = try Repository.text("Docs/Kvctl.md").split(separator: "\n").map(String.init)
            let commands = page.enumerated().filter {
                $0.element.hasPrefix("$ kvctl ") && !$0.element.contains(" txn ")
            }
            #expect(commands.count == 19)
            for (place, line) in commands {
                let run = try ProgramRun(
                    "kvctl", under: "cd \(folder.path)",
                    arguments: line.replacing("127.0.0.1:8081", with: "127.0.0.1:\(services.kvPort)")
                        .split(separator: " ").dropFirst(2).map(String.init),
                    environment: ["KVCTL_SERVER": "http://127.0.0.1:\(services.gatewayPort)"])
                let printed = (run.output + run.error).replacing(/request [0-9a-f]{32}/, with: "request ID")
                    .replacing(/store [0-9a-f-]{36}/, with: "store ID")
                    .replacing(/txk_[A-Za-z0-9_-]{43}/, with: "txk_…")
                    // How many heartbeats there are depends on the time.
                    .replacing(/verified, \d+ bytes/, with: "verified, 10240 bytes")
                    // A restore chooses its revisions.
                    .replacing(/revision \d+000004 in/, with: "revision 37413589000004 in")
                let shown = page[(place + 1)...].prefix { !$0.hasPrefix("$ ") && $0 != "```" }
                #expect(printed.split(separator: "\n").map(String.init) == Array(shown), "\(line)")
            }
        }

        @Test func `an import survives a kill of kv-service, and one of its own`() throws {
            let services = try Services()
            let folder = services.folder
            let count = 4_000
            try FileText.write(
                (0..<count).map { #"{"key":"k\#($0)","value":"value \#($0)"}"# + "\n" }.joined(), to: folder.file("in"))
            func start() throws -> ChildProcess {
                try ChildProcess(
                    Programs.path("kvctl"),
                    [
                        "import", folder.file("in"), "--resume", folder.file("place"), "--parallel", "8", "--timeout",
                        "60s", "--server", "http://127.0.0.1:\(services.gatewayPort)",
                    ], output: folder.file("import-\(UInt32.random(in: 0 ... .max))"))
            }
            func keys() throws -> Int {
                try HTTPConnection(port: services.kvPort).request("GET", "/admin").json.object("store").integer("keys")
                    ?? 0
            }
            let first = try start()
            _ = try Poll.until("some are imported") { try keys() > 200 ? true : nil }
            services.kv.child.signal(SIGKILL)
            try services.kv.child.waitForEnd()
            let restarted = try Services.startKV(in: folder, listen: "127.0.0.1:\(services.kvPort)")
            try restarted.waitUntilReady(port: try restarted.waitForPort())
            let before = try keys()
            _ = try Poll.until("more are imported") { try keys() > before ? true : nil }
            // After the first checkpoint, if the import is not over before that.
            _ = try Poll.until("a checkpoint") { access(folder.file("place"), F_OK) == 0 ? true : nil }
            first.signal(SIGKILL)
            _ = try first.waitForEnd()
            let second = try start()
            #expect(try second.waitForEnd(seconds: 60) == .exited(0), "\(second.output)")
            #expect(try keys() == count)
            let last = try Self.run(services.gatewayPort, "get", "k\(count - 1)")
            #expect(last.output == "value \(count - 1)")
            #expect(try [services.gateway?.stop(), restarted.stop()] == [.exited(0), .exited(0)])
        }
    }
}
