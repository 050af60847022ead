import Glibc
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite("A write is answered after it is on the disk", .timeLimit(.minutes(10)))
    struct DurabilityOrderTests {
        private static let writers = 8
        private static let writesPerWriter = 40

        private struct Write: Sendable {
            let key: String
            let revision: Int
        }

        @Test(.enabled(if: access("/usr/bin/strace", X_OK) == 0, "strace is not installed"))
        func `each success leaves after the fdatasync that covers its frame`() throws {
            let (writes, trace) = try self.traceWrites(sync: "always")
            #expect(writes.count == Self.writers * Self.writesPerWriter)
            #expect(Self.violations(of: writes, in: trace) == [])
        }

        /// The check itself must be able to fail.
        @Test(.enabled(if: access("/usr/bin/strace", X_OK) == 0, "strace is not installed"))
        func `without fdatasync the same check finds every write`() throws {
            let (writes, trace) = try self.traceWrites(sync: "never")
            #expect(Self.violations(of: writes, in: trace).count == writes.count)
        }

        /// Runs kv-service under strace with writers on several connections; returns their answers, and the trace.
        private func traceWrites(sync: String) throws -> ([Write], SystemCallTrace) {
            let folder = TemporaryFolder()
            let tracePath = folder.file("trace")
            let calls = "trace=pwrite64,pwritev,pwritev2,fdatasync,fsync,write,writev,sendmsg,sendto,msync"
            let traced = try Services.startKV(
                in: folder,
                ["--sync", sync, "--segment-bytes", "1MiB"],
                wrapper: ["/usr/bin/strace", "-f", "-s", "8192", "-o", tracePath, "-e", calls, "-e", "signal=none"]
            )
            let port = try traced.waitForPort()
            let service = try traced.wrapped()
            Guardian.shared.watch(service)
            defer { Guardian.shared.forget(service) }
            try traced.waitUntilReady(port: port)

            let writes = Mutex<[Write]>([])
            let threads = Threads()
            for writer in 0..<Self.writers {
                threads.start {
                    guard let client = try? KeyValueClient(port: port, through: .kvService) else { return }
                    for number in 0..<Self.writesPerWriter {
                        let key = "traced-\(writer)-\(number);"
                        guard let answer = try? client.set(Array(key.utf8), Array("v".utf8)), answer.status == 200,
                            let revision = try? answer.json.integer("revision")
                        else { return }
                        writes.withLock { $0.append(Write(key: key, revision: revision)) }
                    }
                }
            }
            threads.join()
            kill(service, SIGTERM)
            #expect(try traced.child.waitForEnd() == .exited(0))
            return (writes.withLock { $0 }, SystemCallTrace(try FileText.text(tracePath)))
        }

        /// The writes that were answered before an `fdatasync` that began after their bytes were written had returned.
        private static func violations(of writes: [Write], in trace: SystemCallTrace) -> [String] {
            let frames = trace.calls.filter { $0.name.hasPrefix("pwrite") }
            let syncs = trace.calls.filter { $0.name == "fdatasync" && $0.result == "0" }
            let sends = trace.calls.filter {
                ["write", "writev", "sendmsg", "sendto"].contains($0.name) && $0.arguments.contains("HTTP/1.1 200")
            }
            return writes.compactMap { write in
                guard let frame = frames.first(where: { $0.arguments.contains(write.key) }) else {
                    return "no pwrite holds \(write.key)"
                }
                let member = #"\"revision\":\#(write.revision)"#
                guard
                    let send = sends.first(where: {
                        $0.arguments.contains(member + "}") || $0.arguments.contains(member + ",")
                    })
                else { return "no answer with revision \(write.revision) was sent" }
                let covered = syncs.contains {
                    $0.descriptor == frame.descriptor && $0.entered > frame.left && $0.left < send.entered
                }
                return covered ? nil : "\(write.key) was answered before it was on the disk"
            }
        }
    }
}
