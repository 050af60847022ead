import Glibc
import KeyValueClient
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite("The client library and kvctl watch the services", .timeLimit(.minutes(10)))
    struct ClientWatchTests {
        /// Watches in a task until it is cancelled, and keeps what it gets.
        private final class Watcher: Sendable {
            private let received = Mutex<[ChangeEvent]>([])
            private let failure = Mutex<String?>(nil)

            init(_ client: StoreClient, prefix: String) {
                Task {
                    do {
                        for try await event in client.watch(prefix: prefix, since: 0) {
                            self.received.withLock { $0.append(event) }
                        }
                    } catch { self.failure.withLock { $0 = "\(error)" } }
                }
            }

            var events: [ChangeEvent] { self.received.withLock { $0 } }
            var error: String? { self.failure.withLock { $0 } }
        }

        /// All events of a watch that is not interrupted, up to a revision.
        private static func replay(_ client: StoreClient, prefix: String, upTo last: UInt64) async throws
            -> [ChangeEvent]
        {
            var events: [ChangeEvent] = []
            for try await event in client.watch(prefix: prefix, since: 0) {
                events.append(event)
                if event.revision >= last { break }
            }
            return events
        }

        @Test func `every change comes once and in order through kills of both services`() async throws {
            let services = try Services()
            let addresses = [services.kvPort, services.gatewayPort].map { "http://127.0.0.1:\($0)" }
            var configuration = StoreClient.Configuration()
            configuration.timeout = .seconds(60)
            let clients = try addresses.map { try StoreClient($0, configuration: configuration) }
            let watchers = clients.map { Watcher($0, prefix: "u/") }
            var (kv, gateway) = (services.kv, services.gateway)
            for round in 0..<4 {
                for number in 0..<25 {
                    try await clients[1].set("u/\(number)", "round \(round)")
                    if number % 5 == 0 { try await clients[1].set("other", "x") }
                }
                if round % 2 == 0 {
                    try kv.crash()
                    kv = try Services.startKV(in: services.folder, listen: "127.0.0.1:\(services.kvPort)")
                } else {
                    try gateway?.crash()
                    gateway = try Services.startGateway(
                        in: services.folder, upstreamPort: services.kvPort, listen: "127.0.0.1:\(services.gatewayPort)")
                }
            }
            let last = try await clients[1].set("u/last", "end").revision
            let expected = try await Self.replay(clients[0], prefix: "u/", upTo: last)
            #expect(expected.count >= 101)
            for watcher in watchers {
                try await Poll.eventually("the last change", seconds: 60) {
                    watcher.events.last?.revision == last || watcher.error != nil
                }
                #expect(watcher.error == nil)
                #expect(watcher.events == expected)
            }
            for client in clients { try await client.shutdown() }
            #expect(try [gateway?.stop(), kv.stop()] == [.exited(0), .exited(0)])
        }

        @Test func `kvctl prints changes, and says why it cannot`() throws {
            let services = try Services()
            func run(_ arguments: String...) throws -> ProgramRun {
                try ProgramRun(
                    "kvctl", arguments: arguments,
                    environment: ["KVCTL_SERVER": "http://127.0.0.1:\(services.gatewayPort)"])
            }
            #expect(try run("set", "a", "1\n").status == 0)
            #expect(try run("set", "b", "2").status == 0)
            #expect(try run("delete", "a").status == 0)
            let text = try run("watch", "--since", "0", "--count", "3")
            #expect(text.status == 0 && text.output == "1 set \"a\" \"1\\n\"\n2 set \"b\" \"2\"\n3 delete \"a\"\n")
            let json = try run("watch", "a", "--since", "1", "--previous", "--count", "1").json
            #expect(json.integer("revision") == 3)
            #expect(json.objects("changes").first?.object("previous").string("value") == "1\n")
            let future = try run("watch", "--since", "99")
            #expect(future.status == 1 && future.error.contains("revision_in_the_future"))
            #expect(try services.stop() == [.exited(0), .exited(0)])
            #expect(try run("watch").status == 6)
        }
    }
}
