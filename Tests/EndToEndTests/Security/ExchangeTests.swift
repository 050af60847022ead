import Glibc
import KeyValueClient
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    /// Certificates and access keys are exchanged while clients use the services.
    @Suite("Exchanges under load", .timeLimit(.minutes(10)))
    struct ExchangeTests {
        /// How often all of them are exchanged: `TXLOG_KV_EXCHANGES`, else 3.
        private static var exchanges: Int { Cycles.count("TXLOG_KV_EXCHANGES", else: 3) }
        private static let clients = 4

        /// What the clients know. In each round they have another access key, and new connections.
        private final class Load: Sendable {
            struct State {
                var round = 0
                var accessKey: String
                var isOver = false
                /// By client, the last round in which it had an answer.
                var answered = Array(repeating: -1, count: clients)
                var requests = 0
                var failures: [String] = []
            }

            let state: Mutex<State>

            init(accessKey: String) { self.state = Mutex(State(accessKey: accessKey)) }

            var hasAnswers: Bool { self.state.withLock { state in state.answered.allSatisfy { $0 == state.round } } }

            func run(_ number: Int, _ address: String, _ authority: String) async {
                while true {
                    let (round, key, isOver) = self.state.withLock { ($0.round, $0.accessKey, $0.isOver) }
                    if isOver { return }
                    var configuration = StoreClient.Configuration()
                    configuration.accessKey = key
                    configuration.authoritiesFile = authority
                    configuration.maxAttempts = 1
                    do {
                        try await StoreClient.with(address, configuration: configuration) { client in
                            while self.state.withLock({ $0.round == round && !$0.isOver }) {
                                let revision = try await client.set("key-\(number)", "\(round)").revision
                                let read = try await client.get("key-\(number)")?.revision
                                self.state.withLock { state in
                                    if read != revision { state.failures.append("\(revision) read as \(read ?? 0)") }
                                    state.answered[number] = round
                                    state.requests += 2
                                }
                            }
                        }
                    } catch { self.state.withLock { $0.failures.append("client \(number), round \(round): \(error)") } }
                    if self.state.withLock({ !$0.failures.isEmpty }) { return }
                }
            }
        }

        @Test func `fail no request, and no old access key is accepted afterwards`() async throws {
            let folder = TemporaryFolder()
            let file = folder.file("access-keys")
            let monitor = try Self.add("monitor", roles: "monitor", to: file)
            var accessKey = try Self.add("client-0", to: file)
            let services = try SecureServices(gatewayArguments: ["--access-keys-file", file])
            let load = Load(accessKey: accessKey)
            let tasks = (0..<Self.clients).map { number in
                Task { [address = "https://localhost:\(services.gatewayPort)", authority = services.authority] in
                    await load.run(number, address, authority.certificate)
                }
            }
            for round in 1...Self.exchanges {
                let (old, serials) = try (accessKey, Front.allCases.map { try services.serial($0) })
                accessKey = try Self.add("client-\(round)", to: file)
                try Self.reload(services, [.apiGateway], monitor)
                load.state.withLock { ($0.round, $0.accessKey) = (round, accessKey) }
                try Self.waitForAnswers(load)

                _ = try services.authority.issue("kv-service")
                _ = try services.authority.issue("api-gateway")
                try Self.kvctl(["key", "remove", "client-\(round - 1)", "--file", file])
                try Self.reload(services, Front.allCases, monitor)
                #expect(try Self.status(services, old) == "401")
                #expect(try Self.status(services, accessKey) == "200")
                for (front, serial) in zip(Front.allCases, serials) { #expect(try services.serial(front) != serial) }
                if !load.state.withLock({ $0.failures.isEmpty }) { break }
            }
            load.state.withLock { $0.isOver = true }
            for task in tasks { await task.value }
            let (requests, failures) = load.state.withLock { ($0.requests, $0.failures) }
            #expect(failures == [])
            print("exchanges under load: \(Self.exchanges) of all certificates and access keys, \(requests) requests")
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        /// - Returns: the access key.
        private static func add(_ name: String, roles: String = "read,write", to file: String) throws -> String {
            let key = try self.kvctl(["key", "add", name, "--roles", roles, "--file", file])
            return key.split(separator: "\n").first.map(String.init) ?? ""
        }

        @discardableResult
        private static func kvctl(_ arguments: [String]) throws -> String {
            let run = try ProgramRun("kvctl", arguments: arguments)
            if run.status != 0 { throw ToolFailure(description: "kvctl \(arguments): \(run.error)") }
            return run.output
        }

        /// `SIGHUP` to these, and the event that follows. A reload by the change of the files may have come before.
        private static func reload(_ services: SecureServices, _ fronts: [Front], _ monitor: String) throws {
            let authorization = ["-H", "Authorization: Bearer \(monitor)"]
            for front in fronts {
                func events(after number: Int) throws -> JSONObject {
                    try JSONObject(Array(services.curl(front, "/admin/events?after=\(number)", authorization).utf8))
                }
                let before = try events(after: 0).integer("last_number") ?? 0
                services.process(front).child.signal(SIGHUP)
                _ = try Poll.until("\(front) has reloaded") {
                    let events = try events(after: before).objects("events")
                    return events.contains {
                        $0.string("kind") == "config_reloaded" && $0.object("details").string("trigger") == "signal"
                    } ? true : nil
                }
            }
        }

        private static func waitForAnswers(_ load: Load) throws {
            _ = try Poll.until("each client has an answer") {
                load.hasAnswers || load.state.withLock({ !$0.failures.isEmpty }) ? true : nil
            }
        }

        private static func status(_ services: SecureServices, _ accessKey: String) throws -> String {
            try services.curl(
                .apiGateway, "/api/get?key=key-0",
                ["-o", "/dev/null", "-w", "%{http_code}", "-H", "Authorization: Bearer \(accessKey)"])
        }
    }
}
