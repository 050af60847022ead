import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Access keys and their hashes", .timeLimit(.minutes(10)))
    struct SecretTests {
        private static let documents = [
            "/", "/metrics", "/admin", "/admin/config", "/admin/events", "/admin/slow", "/admin/log-level",
            "/admin/read-only", "/admin/drain", "/readyz",
        ]

        @Test func `are in no log, document, recording, argument, environment or report of a crash`() throws {
            let locked = try LockedServices()
            let secrets = locked.clients.secrets + locked.atStore.secrets
            func check(_ text: String, _ what: String) {
                for secret in secrets { #expect(!text.contains(secret), "\(what) has a secret") }
            }
            let recording = locked.folder.file("recording")
            for front in Front.allCases {
                let (file, connection) = (locked.file(front), try locked.connect(front))
                for name in ["all", "limited", "expired", "read"] {
                    let field = EndToEnd.AccessKeyTests.field(file[name])
                    check(
                        try connection.request("GET", "/\(front.rawValue)/get?key=own/1", headers: [field]).text, name)
                }
                for path in Self.documents {
                    let field = EndToEnd.AccessKeyTests.field(file["admin"])
                    let answer = try connection.request("GET", path, headers: [field])
                    #expect(answer.status == 200, "\(path) \(answer.text)")
                    check(answer.text, path)
                }
            }
            let run = try ProgramRun(
                "kvtop",
                arguments: [
                    "--kv", "http://127.0.0.1:\(locked.services.kvPort)", "--gateway", "none", "--once", "--json",
                    "--record", recording, "--admin-token-file", try locked.atStore.keyFile("monitor"),
                ])
            #expect(run.status == 0, "\(run.error)")
            check(run.output + run.error, "kvtop")
            let recorded = try FileText.text(recording)
            #expect(recorded.contains("kv_get"))
            check(recorded, "a recording")
            for service in [locked.services.kv, try #require(locked.services.gateway)] {
                for document in ["cmdline", "environ"] {
                    check(try FileText.text("/proc/\(service.child.pid)/\(document)"), document)
                }
                service.child.signal(SIGSEGV)
                // Swift 6.3.1 ends a process after the report only if the instruction that was interrupted fails again.
                _ = try Poll.until("the report of the crash is complete", seconds: 60) {
                    service.child.output.contains("Backtrace took") || service.child.endingIfEnded() != nil ? true : nil
                }
                service.child.signal(SIGKILL)
                _ = try service.child.waitForEnd()
                #expect(service.child.output.contains(#""path""#))
                check(service.child.output, "the output")
            }
        }
    }
}
