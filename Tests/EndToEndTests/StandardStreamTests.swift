import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Standard streams that are closed, or take nothing", .timeLimit(.minutes(10)))
    struct StandardStreamTests {
        private static let programs = [ServiceProcess.Program.kvService, .apiGateway, .kvtop, .txlog, .kvctl]
        private static let smallSegments = ["--segment-bytes", "64KiB"]
        /// Each set of closed descriptors except the empty one.
        private static let closed = (1...7).map { bits in (0...2).filter { bits & (1 << $0) != 0 } }

        /// A command before a program that closes descriptors. The program's path and arguments follow.
        private static func closing(_ descriptors: [Int]) -> [String] {
            ["/bin/sh", "-c", "exec \"$@\" \(descriptors.map { "\($0)>&-" }.joined(separator: " "))", "sh"]
        }

        private static func run(
            _ program: ServiceProcess.Program, _ arguments: [String], wrapper: [String], _ folder: TemporaryFolder
        ) throws -> (ending: Ending, output: String) {
            let process = try ServiceProcess(
                program, arguments, output: folder.file("output-\(UInt32.random(in: 0 ... .max))"), wrapper: wrapper)
            return (try process.child.waitForEnd(), process.child.output)
        }

        @Test(arguments: closed)
        func `no file or socket of a service gets the number of a closed stream`(closed: [Int]) throws {
            let folder = TemporaryFolder()
            let (port, upstream) = (try FreePort.find(), try FreePort.find())
            let gateway = try ServiceProcess(
                .apiGateway, ["--listen", "127.0.0.1:\(port)", "--upstream", "http://127.0.0.1:\(upstream)"],
                output: folder.file("gateway"), wrapper: Self.closing(closed))
            let kv = try ServiceProcess(
                .kvService,
                ["--listen", "127.0.0.1:\(upstream)", "--data-dir", folder.file("kv"), "--segment-bytes", "1MiB"],
                output: folder.file("service"), wrapper: Self.closing(closed))
            for (service, port) in [(kv, upstream), (gateway, port)] {
                // Its log cannot be read.
                _ = try Poll.until("\(service.program.rawValue) is ready") {
                    try (try? HTTPConnection(port: port))?.request("GET", "/readyz").status == 200 ? true : nil
                }
            }
            let client = try HTTPConnection(port: port)
            let set = #"{"key":"a","value":"b"}"#
            let headers = [("Content-Type", "application/json")]
            #expect(try client.request("POST", "/api/set", headers: headers, body: Array(set.utf8)).status == 200)
            for service in [kv, gateway] {
                for descriptor in closed {
                    let place = "/proc/\(service.child.pid)/fd/\(descriptor)"
                    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: place) == "/")
                }
                #expect(try service.stop() == .exited(0))
            }
            let verify = try Self.run(.txlog, ["verify", folder.file("kv")], wrapper: [], folder)
            #expect(verify.ending == .exited(0), "\(verify.output)")
        }

        @Test(arguments: closed)
        func `no text of a tool lands in the file that it writes`(closed: [Int]) throws {
            let folder = TemporaryFolder()
            let wrapper = Self.closing(closed)
            let lines = (1...3).map { #"{"key":"k\#($0)","value":"v","revision":\#($0)}"# + "\n" }.joined()
            try FileText.write(lines, to: folder.file("in"))
            // Output that goes only to a closed stream cannot be a success.
            let done: Ending = closed.contains(1) ? .exited(74) : .exited(0)
            let imported = try Self.run(
                .txlog, ["import", folder.file("kv"), folder.file("in")] + Self.smallSegments, wrapper: wrapper, folder)
            #expect(imported.ending == done, "\(imported.output)")
            let export = ["export", folder.file("kv"), "--output", folder.file("out")]
            #expect(try Self.run(.txlog, export, wrapper: wrapper, folder).ending == .exited(0))
            #expect(try FileText.text(folder.file("out")) == lines)
            #expect(try Self.run(.txlog, ["dump", folder.file("kv")], wrapper: wrapper, folder).ending == done)
            #expect(try Self.run(.txlog, ["verify", folder.file("kv")], wrapper: [], folder).ending == .exited(0))
            if closed.contains(0) {
                let input = try Self.run(
                    .txlog, ["import", folder.file("kv2"), "-"] + Self.smallSegments, wrapper: wrapper, folder)
                #expect(input.ending == .exited(74), "\(input.output)")
            }

            let service = try FakeKVService()
            let watch = ["--kv", "http://127.0.0.1:\(service.port)", "--gateway", "none", "--interval", "250ms"]
            let record = ["--once", "--record", folder.file("recording")]
            _ = try Self.run(.kvtop, watch + record, wrapper: wrapper, folder)
            let recording = try FileText.text(folder.file("recording"))
            #expect(recording.split(separator: "\n").count == 3, "\(recording)")
            for line in recording.utf8.split(separator: UInt8(ascii: "\n")) { _ = try JSONObject(line) }
        }

        @Test func `output that could not be written is no success`() throws {
            let folder = TemporaryFolder()
            try FileText.write(#"{"key":"k","value":"v"}"#, to: folder.file("in"))
            #expect(
                try Self.run(
                    .txlog, ["import", folder.file("kv"), folder.file("in")] + Self.smallSegments, wrapper: [], folder
                ).ending
                    == .exited(0))
            let full = ["/bin/sh", "-c", "exec \"$@\" >/dev/full", "sh"]
            let answers = [["--help"], ["--version"], ["--generate-completion-script", "bash"]]
            let store = folder.file("kv")
            let commands: [(ServiceProcess.Program, [[String]])] = [
                (.kvService, answers + [["check-config"], ["help", "serve"]]),
                (.apiGateway, answers + [["check-config"]]),
                (
                    .txlog,
                    answers
                        + [
                            ["stat", store], ["stat", store, "--json"], ["dump", store], ["verify", store],
                            ["verify", store, "--json"], ["export", store], ["repair", store], ["compact", store],
                            ["import", folder.file("kv2"), folder.file("in")] + Self.smallSegments,
                        ]
                ),
            ]
            for (program, uses) in commands {
                for arguments in uses {
                    let (ending, output) = try Self.run(program, arguments, wrapper: full, folder)
                    #expect(ending == .exited(74), "\(program.rawValue) \(arguments)")
                    #expect(output.contains("standard output"), "\(program.rawValue) \(arguments): \(output)")
                    #expect(output.contains("No space left on device"), "\(program.rawValue) \(arguments): \(output)")
                }
            }
        }

        @Test func `a message shows the control characters of what it quotes, and does not do them`() throws {
            let folder = TemporaryFolder()
            let hostile = "\u{1B}]0;title\u{7}\r\u{9B}2J"
            let shown = #"\x1B]0;title\x07\x0D\x9B2J"#
            let uses: [(ServiceProcess.Program, [String])] = [
                (.kvService, ["--listen", hostile]), (.kvService, [hostile]), (.apiGateway, ["--upstream", hostile]),
                (.kvtop, ["--kv", hostile]), (.kvtop, ["--replay", hostile]), (.txlog, ["stat", hostile]),
                (.txlog, ["import", folder.file("kv"), hostile]), (.txlog, [hostile]),
                (.kvctl, [hostile]), (.kvctl, ["get", "a", "--server", hostile]),
            ]
            for (program, arguments) in uses {
                let (ending, output) = try Self.run(program, arguments, wrapper: [], folder)
                #expect(ending != .exited(0))
                #expect(output.contains(shown), "\(program.rawValue): \(output.debugDescription)")
                #expect(!output.contains("\u{1B}") && !output.contains("\r"), "\(output.debugDescription)")
            }
        }

        @Test(.enabled(if: geteuid() == 0, "only root can unmount /proc"))
        func `a program without /proc takes its command line, and says so if it cannot go on`() throws {
            let folder = TemporaryFolder()
            let wrapper = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", "umount -l /proc && exec \"$@\"", "sh"]
            for program in Self.programs {
                let (ending, output) = try Self.run(program, ["--version"], wrapper: wrapper, folder)
                #expect(ending == .exited(0) && output.hasPrefix("\(program.rawValue) 0."), "\(output)")
                #expect(try Self.run(program, ["--no-such-flag"], wrapper: wrapper, folder).ending != .exited(0))
            }
            try FileText.write(#"{"key":"k","value":"v"}"#, to: folder.file("in"))
            let imported = try Self.run(
                .txlog, ["import", folder.file("kv"), folder.file("in")] + Self.smallSegments, wrapper: wrapper, folder)
            #expect(imported.ending == .exited(0), "\(imported.output)")
            for program in [ServiceProcess.Program.kvService, .apiGateway] {
                let check = try Self.run(
                    program, ["check-config", "--listen", "127.0.0.1:9"], wrapper: wrapper, folder)
                #expect(check.ending == .exited(0) && check.output.contains("127.0.0.1:9"), "\(check.output)")
                let (ending, output) = try Self.run(program, ["--listen", "127.0.0.1:0"], wrapper: wrapper, folder)
                #expect(ending == .exited(74) && output.contains("/proc is not mounted"), "\(output)")
            }
            let (ending, output) = try Self.run(.kvtop, ["--once"], wrapper: wrapper, folder)
            #expect(ending == .exited(74) && output.contains("/proc is not mounted"), "\(output)")
        }
    }
}
