import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Signals", .timeLimit(.minutes(10)))
    struct SignalTests {
        private static let ignored = [SIGUSR1, SIGUSR2]

        @Test func `that services do nothing about do not end them`() throws {
            let services = try Services()
            for service in [services.kv, services.gateway].compactMap({ $0 }) {
                for number in Self.ignored { service.child.signal(number) }
            }
            let client = try KeyValueClient(services, through: .apiGateway)
            for number in 0..<20 { #expect(try client.set([UInt8(number + 1)], [1]).status == 200) }
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        /// As the first process of a container; a service until it handles signals itself, and a command at any time.
        @Test(
            .enabled(if: geteuid() == 0, "only root can make a PID namespace"),
            arguments: [ServiceProcess.Program.kvService, .apiGateway, .txlog], [SIGTERM, SIGINT])
        func `end the first process of a container`(program: ServiceProcess.Program, number: Int32) throws {
            let folder = TemporaryFolder()
            let pipe = folder.file("pipe")
            #expect(mkfifo(pipe, 0o600) == 0)
            let process = try ServiceProcess(
                program, program == .txlog ? ["import", folder.file("kv"), pipe] : ["--config", pipe],
                output: folder.file("output"), wrapper: ["/usr/bin/unshare", "--pid", "--fork", "--kill-child"])
            let pid = try Poll.until("the program takes the signal") { () -> pid_t? in
                let outer = process.child.pid
                let children = try FileText.text("/proc/\(outer)/task/\(outer)/children")
                guard let child = children.split(separator: " ").first.flatMap({ pid_t($0) }) else { return nil }
                let status = (try? FileText.text("/proc/\(child)/status"))?.split(separator: "\n") ?? []
                guard let line = status.first(where: { $0.hasPrefix("SigCgt:") }) else { return nil }
                let caught = UInt64(line.split(separator: "\t")[1], radix: 16) ?? 0
                return caught >> UInt64(number - 1) & 1 == 1 ? child : nil
            }
            kill(pid, number)
            #expect(try process.child.waitForEnd() == .exited(128 + number), "\(process.child.output)")
        }

        /// Waits until a process ignores these.
        private func expectIgnored(_ numbers: [Int32], by child: ChildProcess, _ name: String) throws {
            let wanted = numbers.reduce(UInt64(0)) { $0 | 1 << UInt64($1 - 1) }
            var last: UInt64?
            do {
                _ = try Poll.until("\(name) ignores \(numbers)", seconds: 10) { () -> Bool? in
                    guard try FileText.text("/proc/\(child.pid)/comm") == "\(name)\n" else { return nil }
                    let line = try FileText.text("/proc/\(child.pid)/status").split(separator: "\n")
                        .first { $0.hasPrefix("SigIgn:") }
                    last = line.flatMap { UInt64($0.dropFirst("SigIgn:".count).filter(\.isHexDigit), radix: 16) }
                    return last.map { $0 & wanted == wanted } == true ? true : nil
                }
            } catch {
                throw TimeoutError(description: "\(error): \(String(last ?? 0, radix: 16)); \(child.output)")
            }
        }

        /// A limit of the file size is an error of the write that reaches it; the other signals do not end a program.
        @Test func `that a program does nothing about are ignored by each of them`() throws {
            let (folder, fake) = (TemporaryFolder(), try FakeKVService())
            let services = try Services(folder: folder)
            for service in [services.kv, services.gateway].compactMap({ $0 }) {
                let ignored = Self.ignored + [SIGPIPE, SIGXFSZ]
                try self.expectIgnored(ignored, by: service.child, service.program.rawValue)
            }
            let kvtop = try ServiceProcess(
                .kvtop, ["--kv", "http://127.0.0.1:\(fake.port)", "--gateway", "none", "--batch"],
                output: folder.file("kvtop"))
            try self.expectIgnored([SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ], by: kvtop.child, "kvtop")
            // It reads from a pipe without a writer.
            #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
            let pipe = open(folder.file("pipe"), O_RDWR | O_CLOEXEC)
            defer { close(pipe) }
            let txlog = try ServiceProcess(
                .txlog, ["import", folder.file("new"), folder.file("pipe")], output: folder.file("txlog"))
            try self.expectIgnored([SIGUSR1, SIGUSR2, SIGXFSZ], by: txlog.child, "txlog")
        }

        /// `ps -T` and the runbook's command show the threads by these names.
        @Test func `find each kind of thread by a name of its own`() throws {
            let folder = TemporaryFolder()
            let service = try Services.startKV(in: folder, ["--otlp-endpoint", "http://127.0.0.1:9/v1/traces"])
            try service.waitUntilReady(port: try service.waitForPort())
            let expected: Set = [
                "kv-writer", "log-lines", "kv-prepare", "kv-compact", "kv-scrub", "kv-watch", "kv-capacity",
                "span-exporter",
            ]
            let names = try Poll.until("all threads have their names") { () -> [String]? in
                let output = try Tool.run(
                    "/bin/ps", ["-L", "-o", "comm=", "-p", "\(service.child.pid)"], in: folder
                ).output
                let names = output.split(separator: "\n").map(String.init)
                return expected.isSubset(of: names) ? names : nil
            }
            for name in expected { #expect(names.count { $0 == name } == 1, "\(name): \(names)") }
            _ = try service.stop()
        }
    }
}
