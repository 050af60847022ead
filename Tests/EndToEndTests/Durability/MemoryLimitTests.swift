import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Little memory", .timeLimit(.minutes(10)))
    struct MemoryLimitTests {
        private static let value = [UInt8](repeating: 7, count: 65_536)

        private static func key(_ number: Int) -> [UInt8] { Array("key-\(number)".utf8) }

        private static func memory(_ port: UInt16) throws -> [String: Any] {
            let document = try HTTPConnection(port: port).request("GET", "/admin").json
            return document.members["memory"] as? [String: Any] ?? [:]
        }

        /// Sets until one is refused; returns how many succeeded.
        private func fill(_ client: KeyValueClient, from first: Int = 0) throws -> (count: Int, refusal: HTTPAnswer) {
            for number in first..<first + 5_000 {
                let answer = try client.set(Self.key(number), Self.value)
                if answer.status != 200 { return (number - first, answer) }
            }
            throw TimeoutError(description: "no set was refused")
        }

        @Test func `near the limit sets are refused, all else goes on, and sets resume when there is room`() throws {
            let services = try Services(kvArguments: ["--max-memory", "96MiB", "--sync", "never"])
            let client = try KeyValueClient(services, through: .apiGateway)
            let (count, refusal) = try self.fill(client)
            #expect(count > 100, "\(count)")
            #expect(refusal.status == 507, "\(refusal.text)")
            #expect(try refusal.json.string("code") == "memory_limit")
            #expect(try refusal.json.string("applied") == "no")
            #expect(refusal["Retry-After"] == "5")
            #expect(try client.get(Self.key(count)).status == 404)
            #expect(try client.getRaw(Self.key(0)).body == Self.value)
            #expect(try client.set(Self.key(0), Self.value).status == 200, "as large as what it replaces")
            _ = try Poll.until("it is seen") {
                try Self.memory(services.kvPort)["state"] as? String == "full" ? true : nil
            }
            #expect(try Self.memory(services.kvPort)["limit_source"] as? String == "setting")
            let connection = try HTTPConnection(port: services.kvPort)
            #expect(try connection.request("GET", "/metrics").text.contains("\nkv_memory_full 1\n"))
            #expect(try connection.request("GET", "/readyz").status == 200)
            #expect(try AdminDocuments.events(services.kvPort).contains { $0.string("kind") == "memory_full" })
            if AdminDocuments.canValidate {
                #expect(
                    try AdminDocuments.findings(.kvService, port: services.kvPort, in: services.folder) == "")
            }
            for number in 0..<count / 2 { #expect(try client.delete(Self.key(number)).status == 200) }
            _ = try Poll.until("sets are taken again") {
                try client.set(Self.key(count), Self.value).status == 200 ? true : nil
            }
            _ = try Poll.until("that is told") {
                try AdminDocuments.events(services.kvPort).contains { $0.string("kind") == "memory_available" }
                    ? true : nil
            }
            // Freed memory is used again, and no more than that.
            let (more, _) = try self.fill(client, from: 10_000)
            #expect(more > count / 4 && more < count, "\(more) after \(count)")
            #expect(try services.stop() == [.exited(0), .exited(0)])
            let again = try Services.startKV(in: services.folder, ["--max-memory", "96MiB"])
            try again.waitUntilReady(port: try again.waitForPort())
        }

        @Test func `what clients have left that are gone keeps no set from its memory`() throws {
            let folder = TemporaryFolder()
            let service = try Services.startKV(in: folder, ["--max-memory", "96MiB"])
            let port = try service.waitForPort()
            try service.waitUntilReady(port: port)
            let head = Array(
                "PUT /kv/set?key=never HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n".utf8)
            var uploads: [HTTPConnection] = []
            for _ in 0..<900 {
                let upload = try HTTPConnection(port: port)
                try upload.send(head + Array("Content-Length: 60000\r\n\r\n".utf8) + Self.value.prefix(50_000))
                uploads.append(upload)
            }
            _ = try Poll.until("their bodies are counted") {
                try Self.memory(port)["state"] as? String == "full" ? true : nil
            }
            uploads = []
            let client = try KeyValueClient(port: port, through: .kvService)
            _ = try Poll.until("sets are taken again") { try client.set([1], [1]).status == 200 ? true : nil }
            #expect(try service.stop() == .exited(0))
        }

        @Test func `under a limit of the address space the process lives, and so does the next`() throws {
            let folder = TemporaryFolder()
            let limited = ["/bin/bash", "-c", "ulimit -v 400000; exec \"$@\"", "bash"]
            for first in [0, 10_000] {
                let service = try Services.startKV(in: folder, ["--sync", "never"], wrapper: limited)
                let port = try service.waitForPort()
                try service.waitUntilReady(port: port)
                let client = try KeyValueClient(port: port, through: .kvService)
                let (_, refusal) = try self.fill(client, from: first)
                #expect(try refusal.json.string("code") == "memory_limit", "\(refusal.text)")
                #expect(try Self.memory(port)["limit_source"] as? String == "address_space")
                #expect(try client.getRaw(Self.key(0)).body == Self.value)
                try service.crash()
            }
        }

        @Test func `a start that does not fit ends before the limit, and says what it needs`() throws {
            let folder = TemporaryFolder()
            do {
                let service = try Services.startKV(in: folder, ["--max-memory", "none", "--sync", "never"])
                let port = try service.waitForPort()
                try service.waitUntilReady(port: port)
                let client = try KeyValueClient(port: port, through: .kvService)
                for number in 0..<1_000 { #expect(try client.set(Self.key(number), Self.value).status == 200) }
                #expect(try Self.memory(port)["limit_bytes"] as? Int == nil)
                #expect(try service.stop() == .exited(0))
            }
            let service = try Services.startKV(in: folder, ["--max-memory", "64MiB"])
            #expect(try service.child.waitForEnd() == .exited(71))
            let line = try #require(service.log.first { $0.string("message") == "cannot start" })
            let error = try #require(line.string("error"))
            let words = try #require(
                error.firstMatch(of: /(\d+) of 67108864 bytes are used \(--max-memory\).* limit of about (\d+) bytes/))
            #expect(try #require(Int(words.1)) <= 67_108_864)
            let needed = try #require(Int(words.2))
            #expect((70 << 20...250 << 20).contains(needed), "\(needed)")
            let again = try Services.startKV(in: folder, ["--max-memory", "\(needed)"])
            try again.waitUntilReady(port: try again.waitForPort())
        }
    }
}
