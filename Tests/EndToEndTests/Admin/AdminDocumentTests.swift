import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite(
        "The documents of /admin fit their schemas",
        .enabled(if: AdminDocuments.canValidate, "python3 has no jsonschema"), .timeLimit(.minutes(10)))
    struct AdminDocumentTests {
        @Test func `the schemas are valid and closed, and Docs/Admin.md describes every property`() throws {
            let folder = TemporaryFolder()
            #expect(try AdminDocuments.run(["schemas", AdminDocuments.schemas], in: folder) == "")
            #expect(
                try AdminDocuments.run(["documented", AdminDocuments.schemas, AdminDocuments.page], in: folder) == "")
        }

        /// So that no screen of a golden file or a document shows what no service reports.
        @Test func `the documents in kvtop's tests have nothing that the schemas do not have`() throws {
            let folder = TemporaryFolder()
            var running = FakeKVService.State()
            running.progress = 0.5
            running.hasRun = true
            running.logError = "EIO"
            let kvService = [
                FakeAdmin.kv(600, .running), FakeAdmin.kv(0, .running), FakeAdmin.kv(0, .idle),
                FakeAdmin.kv(0, .notReported), FakeKVService.admin(.init()), FakeKVService.admin(running),
            ]
            let documents = kvService.map { ("kv-service", $0) } + [("api-gateway", FakeAdmin.gateway(600))]
            var pairs: [String] = []
            for (number, (service, document)) in documents.enumerated() {
                let file = folder.file("\(number).json")
                try FileText.write(document, to: file)
                pairs += ["\(AdminDocuments.schemas)/\(service)-admin.json", file]
            }
            let found = try AdminDocuments.run(["fixtures"] + pairs, in: folder)
            #expect(found == "", "\(found)")
        }

        private func expectFitting(_ services: Services) throws {
            let found = try AdminDocuments.findings(.kvService, port: services.kvPort, in: services.folder)
            #expect(found == "", "\(found)")
            if services.gateway != nil {
                let found = try AdminDocuments.findings(.apiGateway, port: services.gatewayPort, in: services.folder)
                #expect(found == "", "\(found)")
            }
        }

        @Test func `of idle services, and with every switch on`() throws {
            let services = try Services()
            try self.expectFitting(services)
            for port in [services.kvPort, services.gatewayPort] {
                for path in ["read-only", "drain"] {
                    let body = #"{"enabled":true,"reason":"a \"reason\" \u2028"}"#
                    #expect(try AdminDocuments.post(port, "/admin/\(path)", body).status == 200)
                }
                let level = try AdminDocuments.post(port, "/admin/log-level", #"{"level":"debug","for":"10m"}"#)
                #expect(level.status == 200)
            }
            try self.expectFitting(services)
        }

        @Test func `under load, with a compaction`() throws {
            let services = try Services(kvArguments: Compaction.onlyWhenAsked)
            let threads = Threads()
            for thread in 0..<4 {
                threads.start {
                    guard let client = try? KeyValueClient(services, through: .apiGateway) else { return }
                    for number in 0..<600 {
                        let key = Array("key \(thread) \(number % 50)".utf8)
                        _ = try? client.set(key, Array(repeating: 7, count: 2_000))
                        _ = try? client.get(key)
                    }
                }
            }
            _ = try Poll.until("the slow requests of both services fill up") {
                try [services.kvPort, services.gatewayPort].allSatisfy { port in
                    try AdminDocuments.get(port, "/admin/slow").objects("requests").count >= 32
                } ? true : nil
            }
            _ = try Compaction.ask(services.kvPort)
            try self.expectFitting(services)
            _ = try AdminDocuments.event("compaction_ended", services.kvPort)
            try self.expectFitting(services)
            threads.join()
            try self.expectFitting(services)
        }

        @Test func `during a replay`() throws {
            let folder = TemporaryFolder()
            do {
                let services = try Services(folder: folder, withGateway: false)
                let client = try KeyValueClient(services, through: .kvService)
                for number in 0..<200 {
                    _ = try client.set(Array("\(number)".utf8), Array(repeating: 1, count: 60_000))
                }
                try services.kv.crash()
            }
            // Each read of the log takes 1.5 s.
            let log = LogFolder(path: folder.file("kv"))
            let files = log.names.filter { $0.hasSuffix(".log") }.flatMap { ["-P", "\(log.path)/\($0)"] }
            let options = ["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pread64"] + files
            let slow = try Services.startKV(
                in: folder, wrapper: ["/usr/bin/strace"] + options + ["-e", "inject=pread64:delay_enter=1500000"])
            let port = try slow.waitForPort()
            _ = try Poll.until("the log is being replayed") {
                try AdminDocuments.get(port, "/admin").string("state") == "replaying" ? true : nil
            }
            #expect(try AdminDocuments.findings(.kvService, port: port, in: folder) == "")
            #expect(try AdminDocuments.get(port, "/admin").object("replay").string("state") == "in_progress")
            let answer = try HTTPConnection(port: port).request("GET", "/readyz")
            #expect(answer.status == 503)
            _ = try Poll.until("the replay says how much there is, before it is done") {
                let answer = try HTTPConnection(port: port).request("GET", "/readyz")
                let total = try answer.json.object("replay").integer("bytes_total") ?? 0
                return answer.status == 503 && total > 0 ? true : nil
            }
            #expect(try AdminDocuments.findings(.kvService, port: port, in: folder) == "")
            try slow.crash()
        }

        @Test func `after failures: a torn end, a failed sync, an upstream that is gone`() throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: .apiGateway)
            #expect(try client.set([1], [1]).status == 200)
            try services.kv.crash()
            _ = try AdminDocuments.event("upstream_lost", services.gatewayPort)
            for _ in 0..<6 { _ = try client.get([1]) }
            let opened = try AdminDocuments.event("circuit_opened", services.gatewayPort)
            #expect(opened.object("details").string("reason") != nil)
            #expect(try AdminDocuments.findings(.apiGateway, port: services.gatewayPort, in: services.folder) == "")

            // A start needs fewer than 40 syncs; the writer reaches that with one write each.
            // Half a frame after the last one, as after a power cut.
            try Self.tear(LogFolder(path: services.folder.file("kv")))
            let fails = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=40+"]
            let again = try Services.startKV(
                in: services.folder, listen: "127.0.0.1:\(services.kvPort)",
                wrapper: ["/usr/bin/strace", "-D", "-f", "-qq", "-o", "/dev/null"] + fails)
            let port = try again.waitForPort()
            _ = try AdminDocuments.event("ready", port)
            let cut = try AdminDocuments.event("torn_tail_cut", port)
            #expect(cut.string("severity") == "warning" && cut.object("details").integer("bytes") ?? 0 > 0)
            let closed = try AdminDocuments.event("circuit_closed", services.gatewayPort)
            #expect(closed.object("details").number("open_seconds") ?? -1 > 0)
            _ = try AdminDocuments.event("upstream_back", services.gatewayPort)

            _ = try Poll.until("a sync has failed") { try client.set([2], [2]).status == 503 ? true : nil }
            let failed = try AdminDocuments.event("log_failed", port)
            #expect(failed.string("severity") == "critical")
            #expect(failed.object("details").string("stage") == "fsync")
            let notReady = try AdminDocuments.event("not_ready", port)
            #expect(notReady.object("details").string("reason")?.contains("the log cannot be written") == true)
            #expect(try AdminDocuments.get(port, "/admin").string("state") == "failed")
            #expect(try AdminDocuments.get(port, "/admin").object("log").object("failures").integer("fsync") == 1)
            #expect(try AdminDocuments.findings(.kvService, port: port, in: services.folder) == "")
            #expect(try AdminDocuments.findings(.apiGateway, port: services.gatewayPort, in: services.folder) == "")
            try again.crash()
        }

        /// Writes the beginning of a frame after the last one of the last segment.
        private static func tear(_ folder: LogFolder) throws {
            let name = try #require(folder.segments.last)
            let descriptor = open("\(folder.path)/\(name)", O_RDWR | O_CLOEXEC)
            defer { close(descriptor) }
            var bytes = [UInt8](repeating: 0, count: 4 << 20)
            let count = pread(descriptor, &bytes, bytes.count, 0)
            let end = try #require(bytes[..<count].lastIndex { $0 != 0 })
            // Frames begin at the end of the last one, at most at the next multiple of 8.
            let torn: [UInt8] = Array(repeating: 0xA5, count: 40)
            #expect(pwrite(descriptor, torn, torn.count, off_t((end + 8) / 8 * 8)) == torn.count)
        }
    }
}
