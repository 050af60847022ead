import Glibc
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Backup and restore", .timeLimit(.minutes(10)))
    struct BackupTests {
        private static func kvctl(_ port: UInt16, _ arguments: String...) throws -> ProgramRun {
            try ProgramRun(
                "kvctl", arguments: arguments, environment: ["KVCTL_SERVER": "http://127.0.0.1:\(port)"])
        }

        /// Sets two keys to the same number in one transaction, again and again, while compactions run.
        private final class Load: Sendable {
            let acknowledged = Atomic(0)
            let isDone = Atomic(false)

            func run(_ port: UInt16) {
                do {
                    let connection = try HTTPConnection(port: port)
                    var number = 1
                    while !self.isDone.load(ordering: .acquiring) {
                        let body =
                            #"{"operations":[{"op":"set","key":"a","value":"\#(number)"},"#
                            + #"{"op":"set","key":"z","value":"\#(number)"}]}"#
                        let answer = try connection.request(
                            "POST", "/kv/txn", headers: [("Content-Type", "application/json")], body: Array(body.utf8))
                        #expect(answer.status == 200)
                        self.acknowledged.store(number, ordering: .releasing)
                        if number % 400 == 0 {
                            // 409 if one is running.
                            _ = try HTTPConnection(port: port).request("POST", "/admin/compact", body: [])
                        }
                        number += 1
                    }
                } catch { Issue.record(error) }
            }
        }

        /// The keys and values of an export: its lines without the last member, the revision.
        private static func records(_ port: UInt16) throws -> [ArraySlice<UInt8>] {
            let export = try Self.kvctl(port, "export")
            #expect(export.status == 0, "\(export.error)")
            return export.bytes.split(separator: 10).map { line in
                line[..<(line.lastIndex(of: UInt8(ascii: ",")) ?? line.endIndex)]
            }
        }

        private static func start(_ folder: TemporaryFolder, _ data: String) throws -> (ServiceProcess, UInt16) {
            let service = try Services.startKV(in: folder, ["--data-dir", folder.file(data)])
            let port = try service.waitForPort()
            try service.waitUntilReady(port: port)
            return (service, port)
        }

        /// More than the sockets of a connection hold.
        private static func fill(
            _ services: Services, _ name: String = "fill", megabytes: Int, round: UInt8 = 0
        ) throws {
            let client = try KeyValueClient(services, through: .kvService)
            let value = [UInt8](repeating: round, count: 60_000)
            for number in 0..<megabytes * 17 {
                // A full disk is one for a moment only.
                _ = try Poll.until("\(name) \(number) is set") {
                    let answer = try client.set(Array("\(name) \(number)".utf8), value)
                    #expect([200, 507].contains(answer.status))
                    return answer.status == 200 ? true : nil
                }
            }
        }

        /// Begins a backup, of which the client takes nothing yet.
        private static func stalled(_ port: UInt16) throws -> HTTPConnection {
            let connection = try HTTPConnection(port: port, receiveBufferBytes: 4_096)
            try connection.send(Array("GET /admin/backup HTTP/1.1\r\nHost: kv\r\n\r\n".utf8))
            _ = try Poll.until("the backup waits for its client") {
                let run = try AdminDocuments.get(port, "/admin").object("backup").object("run")
                return run.integer("bytes_sent").map { $0 > 0 } == true ? true : nil
            }
            return connection
        }

        @Test func `a backup under load has what was acknowledged before, transactions whole, and restores to that`()
            throws
        {
            let services = try Services()
            let (folder, port) = (services.folder, services.kvPort)
            try Self.fill(services, megabytes: 1)
            let load = Load()
            let threads = Threads()
            threads.start { load.run(port) }
            var last = 0
            for number in 1...3 {
                _ = try Poll.until("more is written") {
                    load.acknowledged.load(ordering: .acquiring) > last ? true : nil
                }
                last = load.acknowledged.load(ordering: .acquiring)
                let backup = try Self.kvctl(port, "backup", "--output", folder.file("\(number).tar"), "--json")
                #expect(backup.status == 0, "\(backup.error)")
                #expect(try backup.json.string("output") == folder.file("\(number).tar"))
                let restore = try Self.kvctl(
                    port, "restore", folder.file("\(number).tar"), "--data-dir", folder.file("\(number)"), "--json")
                #expect(restore.status == 0, "\(restore.error)")
                let (copy, copyPort) = try Self.start(folder, "\(number)")
                let values = try ["a", "z"].map { try Self.kvctl(copyPort, "get", $0).output }
                #expect(values[0] == values[1])
                #expect(try #require(Int(values[0])) >= last)
                last = try #require(Int(values[0]))
                let document = try AdminDocuments.get(copyPort, "/admin").object("log")
                #expect(try document.string("store_id") == restore.json.string("store_id"))
                #expect(try copy.stop() == .exited(0))
                #expect(!copy.log.contains { ["warn", "error"].contains($0.string("level")) })
            }
            load.isDone.store(true, ordering: .releasing)
            threads.join()
            // At rest, the contents are equal, byte for byte.
            #expect(try Self.kvctl(port, "backup", "--output", folder.file("rest.tar")).status == 0)
            #expect(
                try Self.kvctl(port, "restore", folder.file("rest.tar"), "--data-dir", folder.file("rest")).status == 0)
            let (copy, copyPort) = try Self.start(folder, "rest")
            #expect(try Self.records(copyPort) == Self.records(port))
            #expect(try copy.stop() == .exited(0))
            let figures = try AdminDocuments.get(port, "/admin").object("backup")
            #expect(figures.object("last").string("result") == "ok" && figures.string("last_success_at") != nil)
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        @Test func `what clients remember of the old store fits nothing in the new one`() throws {
            let services = try Services(withGateway: false)
            let (folder, port) = (services.folder, services.kvPort)
            let client = try KeyValueClient(services, through: .kvService)
            for key in ["a", "b", "c"] { #expect(try client.set(Array(key.utf8), [1]).status == 200) }
            let revision = try #require(try client.get([97]).json.integer("revision"))
            let cursor = try #require(try client.keys("limit=1").json.string("cursor"))
            #expect(try Self.kvctl(port, "backup", "--output", folder.file("b.tar")).status == 0)
            #expect(
                try Self.kvctl(port, "restore", folder.file("b.tar"), "--data-dir", folder.file("new")).status == 0)
            #expect(try services.stop() == [.exited(0)])

            let (copy, copyPort) = try Self.start(folder, "new")
            #expect(try Self.kvctl(copyPort, "set", "a", "x", "--if-revision", "\(revision)").status == 3)
            let connection = try HTTPConnection(port: copyPort)
            let page = try connection.request("GET", "/kv/keys?limit=1&cursor=\(cursor)")
            #expect(try page.status == 400 && page.json.string("code") == "bad_cursor")
            let poll = try connection.request("GET", "/kv/watch?mode=poll&wait_ms=0&since=\(revision)")
            #expect(try poll.status == 410 && poll.json.string("code") == "revision_compacted")
            #expect(try Self.kvctl(copyPort, "get", "a").bytes == [1])
            #expect(try copy.stop() == .exited(0))
        }

        @Test func `tar and sha256sum read it, and kv-service takes the unpacked folder`() throws {
            let services = try Services()
            let folder = services.folder
            try Self.fill(services, megabytes: 3)
            #expect(try Compaction.run(services.kvPort) == nil)
            try Self.fill(services, megabytes: 1, round: 1)
            let url = "http://127.0.0.1:\(services.kvPort)/admin/backup"
            let curl = try Tool.run("/usr/bin/curl", ["-sSfD-", "-o", folder.file("b.tar"), url], in: folder)
            #expect(curl.ending == .exited(0) && curl.output.contains("Content-Type: application/x-tar\r\n"))
            let head = try Tool.run("/usr/bin/curl", ["-sSfI", url], in: folder)
            let length = try FileText.bytes(folder.file("b.tar")).count
            #expect(head.output.contains("Content-Length: \(length)\r\n"), "\(head.output)")
            #expect(mkdir(folder.file("unpacked"), 0o700) == 0)
            let unpacked = try Tool.run(
                "/bin/sh",
                [
                    "-c", "cd \"$1\" && tar -xf ../b.tar && sha256sum --strict -c SHA256SUMS && rm SHA256SUMS", "sh",
                    folder.file("unpacked"),
                ], in: folder)
            #expect(unpacked.ending == .exited(0), "\(unpacked.output)")
            #expect(unpacked.output.hasPrefix("MANIFEST: OK\n"))
            let verified = try ProgramRun("txlog", arguments: ["verify", folder.file("unpacked")])
            #expect(verified.status == 0, "\(verified.output)")
            let (copy, port) = try Self.start(folder, "unpacked")
            #expect(try Self.records(port) == Self.records(services.kvPort))
            #expect(try copy.stop() == .exited(0))
            _ = try services.stop()
        }

        @Test func `one backup at a time; a client that goes away, and a stop, end it`() throws {
            let services = try Services(withGateway: false)
            let port = services.kvPort
            try Self.fill(services, megabytes: 12)
            var first: HTTPConnection? = try Self.stalled(port)
            let second = try HTTPConnection(port: port).request("GET", "/admin/backup")
            #expect(try second.status == 409 && second.json.string("code") == "backup_running")
            // Writes and a compaction go on meanwhile.
            try Self.fill(services, megabytes: 1, round: 1)
            #expect(try Compaction.run(port) == nil)
            let refused = try Self.kvctl(port, "backup", "--output", services.folder.file("b.tar"))
            #expect(refused.status == 1 && refused.error.contains("backup_running"))
            #expect(access(services.folder.file("b.tar"), F_OK) != 0)
            #expect(first != nil)
            first = nil
            let ended = try AdminDocuments.event("backup_ended", port).object("details")
            #expect(ended.string("result") == "cut")
            #expect(try Self.kvctl(port, "backup", "--output", services.folder.file("b.tar")).status == 0)
            let scrape = try HTTPConnection(port: port).request("GET", "/metrics").text
            #expect(scrape.contains("\nkv_backups_total{result=\"cut\"} 1\n"))
            #expect(scrape.contains("\nkv_backups_total{result=\"ok\"} 1\n"))
            let third = try Self.stalled(port)
            #expect(try services.stop() == [.exited(0)])
            #expect(throws: (any Error).self) { _ = try third.receive() }
        }

        @Test func `the next backup can begin when one has arrived`() throws {
            let services = try Services(withGateway: false)
            let port = services.kvPort
            for _ in 0..<200 {
                for method in ["HEAD", "GET"] {
                    #expect(try HTTPConnection(port: port).request(method, "/admin/backup").status == 200)
                }
            }
            // Also if its client has gone in the middle; then it can take a moment.
            for _ in 0..<50 {
                do {
                    let connection = try HTTPConnection(port: port)
                    try connection.send(Array("GET /admin/backup HTTP/1.1\r\nHost: kv\r\n\r\n".utf8))
                }
                let next = try HTTPConnection(port: port).request("GET", "/admin/backup")
                #expect(try next.status == 200 || next.json.string("code") == "backup_running")
            }
            let scrape = try HTTPConnection(port: port).request("GET", "/metrics").text
            #expect(scrape.contains("\nkv_backups_total{result=\"failed\"} 0\n"))
            _ = try services.stop()
        }

        @Test func `a backup overwrites no other file, and leaves nothing if it fails`() throws {
            let services = try Services(withGateway: false)
            let (folder, port) = (services.folder, services.kvPort)
            let (output, partial) = (folder.file("b.tar"), folder.file("b.tar.partial"))
            try FileText.write("precious", to: folder.file("other"))
            for link in [output, partial] {
                #expect(symlink(link == output ? folder.file("missing") : folder.file("other"), link) == 0)
                #expect(try Self.kvctl(port, "backup", "--output", output).status == 1)
                #expect(unlink(link) == 0)
            }
            #expect(try FileText.text(folder.file("other")) == "precious")
            #expect(try Self.kvctl(port, "backup", "--output", "").status == 1)
            #expect(access(".partial", F_OK) != 0)
            // Another kvctl is at it.
            try FileText.write("its first bytes", to: partial)
            let other = open(partial, O_RDONLY)
            #expect(flock(other, LOCK_EX) == 0)
            let second = try Self.kvctl(port, "backup", "--output", output)
            #expect(second.status == 1 && second.error.contains("another process is writing"), "\(second.error)")
            #expect(try FileText.text(partial) == "its first bytes")
            #expect(close(other) == 0)
            // What a kvctl has left that was killed is replaced.
            #expect(try Self.kvctl(port, "backup", "--output", output).status == 0)
            #expect(access(partial, F_OK) != 0)
            _ = try services.stop()
            #expect(try Self.kvctl(port, "backup", "--output", folder.file("c.tar")).status == 6)
            #expect(access(folder.file("c.tar.partial"), F_OK) != 0)

            let input = try ProgramRun(
                "kvctl", arguments: ["restore", "-", "--check"], input: try FileText.bytes(output))
            #expect(input.status == 0, "\(input.error)")
            let pipe = try ProgramRun(
                "kvctl",
                under:
                    "mkfifo '\(folder.file("pipe"))'; : > '\(folder.file("pipe"))' & exec < '\(folder.file("pipe"))'",
                arguments: ["restore", "-", "--check"])
            #expect(pipe.status == 1 && pipe.error.contains("save it to a file first"), "\(pipe.error)")
        }

        @Test(.enabled(if: access("/usr/bin/strace", X_OK) == 0, "strace is not installed"))
        func `the file is synced in small pieces, for which the log on the same disk need not wait long`() throws {
            let services = try Services(withGateway: false)
            let folder = services.folder
            try Self.fill(services, megabytes: 20)
            let trace = "set -- /usr/bin/strace -f -qq -y -e trace=fsync -o '\(folder.file("trace"))' \"$@\""
            let backup = try ProgramRun(
                "kvctl", under: trace, arguments: ["backup", "--output", folder.file("b.tar")],
                environment: ["KVCTL_SERVER": "http://127.0.0.1:\(services.kvPort)"])
            #expect(backup.status == 0, "\(backup.error)")
            let syncs = try FileText.text(folder.file("trace")).split(separator: "\n").filter {
                $0.contains("fsync(") && $0.contains("b.tar.partial")
            }
            #expect(syncs.count >= 4)
            _ = try services.stop()
        }

        @Test func `it needs the token, and no query`() throws {
            let folder = TemporaryFolder()
            try FileText.write("0123456789abcdef\n", to: folder.file("token"))
            let services = try Services(
                folder: folder, kvArguments: ["--admin-token-file", folder.file("token")], withGateway: false)
            let port = services.kvPort
            let connection = try HTTPConnection(port: port)
            #expect(try connection.request("GET", "/admin/backup").status == 401)
            let bearer = [("Authorization", "Bearer 0123456789abcdef")]
            #expect(try connection.request("GET", "/admin/backup?x=1", headers: bearer).status == 400)
            #expect(try connection.request("GET", "/admin/backup", headers: bearer).status == 200)
            #expect(try Self.kvctl(port, "backup", "--output", folder.file("b.tar")).status == 1)
            let output = folder.file("b.tar")
            let backup = try Self.kvctl(
                port, "backup", "--output", output, "--admin-token-file", folder.file("token"))
            #expect(backup.status == 0, "\(backup.error)")
            let again = try Self.kvctl(
                port, "backup", "--output", output, "--admin-token-file", folder.file("token"))
            #expect(again.status == 1 && again.error.contains("File exists"))
            _ = try services.stop()
        }

        @Test func `a backup from a gateway, and one that is damaged, are refused`() throws {
            let services = try Services()
            let folder = services.folder
            try Self.fill(services, megabytes: 1)
            let gateway = try Self.kvctl(services.gatewayPort, "backup", "--output", folder.file("g.tar"))
            #expect(gateway.status == 1 && gateway.error.contains("not_a_kv_service"), "\(gateway.error)")
            #expect(try Self.kvctl(services.kvPort, "backup", "--output", folder.file("b.tar")).status == 0)
            var bytes = try FileText.bytes(folder.file("b.tar"))
            bytes[bytes.count / 2] ^= 1
            try FileText.write(bytes: bytes, to: folder.file("damaged.tar"))
            try FileText.write(bytes: Array(bytes.prefix(bytes.count / 3)), to: folder.file("short.tar"))
            for (file, reason) in [("damaged.tar", "does not match SHA256SUMS"), ("short.tar", "is incomplete")] {
                let restore = try Self.kvctl(
                    services.kvPort, "restore", folder.file(file), "--data-dir", folder.file("new"))
                #expect(restore.status == 7 && restore.error.contains(reason), "\(restore.error)")
                #expect(access(folder.file("new"), F_OK) != 0)
            }
            let used = try Self.kvctl(
                services.kvPort, "restore", folder.file("b.tar"), "--data-dir", folder.file("kv"))
            #expect(used.status == 1 && used.error.contains("is in use by kv-service"), "\(used.error)")
            _ = try services.stop()
        }

        @Test(
            .enabled(
                if: MountedFolder.memoryRefusal == nil,
                "no file system in memory can be mounted: \(MountedFolder.memoryRefusal ?? "")"))
        func `a full disk gets back what a backup keeps from being removed`() throws {
            let folder = TemporaryFolder()
            let volume = try MountedFolder(memory: folder.file("kv"), megabytes: 64)
            let services = try Services(folder: folder, withGateway: false)
            let port = services.kvPort
            try Self.fill(services, megabytes: 16)
            let backup = try Self.stalled(port)
            // Overwrites fill the disk; compactions make space for more, but cannot remove what the backup has.
            for round in 1...3 { try Self.fill(services, megabytes: 16, round: UInt8(round)) }
            try Self.fill(services, "more", megabytes: 22)
            let ended = try AdminDocuments.event("backup_ended", port).object("details")
            #expect(ended.string("result") == "failed")
            #expect(ended.string("error")?.contains("disk is full") == true)
            #expect(throws: (any Error).self) { _ = try backup.receive() }
            _ = try services.stop()
            try volume.unmount()
        }
    }
}
