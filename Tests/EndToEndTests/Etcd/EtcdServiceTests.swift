import EtcdEngine
import Glibc
import KeyValueClient
import Synchronization
import TestSupport
import Testing

/// kv-services that keep their data in etcd.
extension EndToEnd {
    @Suite("kv-service on etcd", .timeLimit(.minutes(10)))
    struct EtcdServiceTests {
        /// Calls `body` with clients of kv-services of one store, and stops all of them.
        private static func with(
            services count: Int, members: Int,
            _ body: (EtcdMembers, EtcdCluster, [ServiceProcess], [StoreClient]) async throws -> Void
        ) async throws {
            try await EtcdMembers.with(members) { members, cluster in
                let folder = TemporaryFolder()
                let endpoints = members.endpoints.map(\.description).joined(separator: ",")
                let services = try (0..<count).map { _ in
                    try Services.startKV(in: folder, ["--engine", "etcd", "--etcd-endpoints", endpoints])
                }
                let ports = try services.map { try $0.waitForPort() }
                for (service, port) in zip(services, ports) { try service.waitUntilReady(port: port) }
                let clients = try ports.map { try StoreClient("http://127.0.0.1:\($0)") }
                let result: Result<Void, any Error>
                do { result = .success(try await body(members, cluster, services, clients)) } catch {
                    result = .failure(error)
                }
                for client in clients { try await client.shutdown() }
                try result.get()
                for service in services { #expect(try service.stop() == .exited(0)) }
            }
        }

        @Test func `of two services that race for a key, one wins each revision`() async throws {
            try await Self.with(services: 2, members: 1) { _, _, _, clients in
                var revision = try await clients[0].set("k", "0").revision
                for round in 1...50 {
                    let expected = revision
                    let wins = await withTaskGroup(of: UInt64?.self) { group in
                        for client in clients {
                            group.addTask {
                                try? await client.set("k", "\(round)", if: .revision(expected)).revision
                            }
                        }
                        return await group.reduce(into: []) { $0 += $1.map { [$0] } ?? [] }
                    }
                    #expect(wins.count == 1, "round \(round)")
                    revision = try #require(wins.first)
                    for client in clients { #expect(try await client.get("k")?.revision == revision) }
                }
            }
        }

        @Test func `counts each increment once while members of etcd are killed and paused`() async throws {
            try await Self.with(services: 2, members: 3) { members, cluster, _, clients in
                let done = Tally()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<4 {
                        let client = clients[task % 2]
                        group.addTask {
                            for number in 0..<50 {
                                try await Self.increment(client, key: "task-\(task)-\(number)")
                                done.value.add(1, ordering: .relaxed)
                            }
                        }
                    }
                    try await Poll.eventually("some increments", seconds: 60) {
                        done.value.load(ordering: .relaxed) > 40
                    }
                    let leader = try await members.leader(cluster)
                    let other = (leader + 1) % 3
                    try members.members[other].process.pause()
                    let before = done.value.load(ordering: .relaxed)
                    try await Poll.eventually("increments without a follower", seconds: 60) {
                        done.value.load(ordering: .relaxed) > before + 20
                    }
                    members.members[other].process.signal(SIGCONT)
                    members.members[leader].process.signal(SIGKILL)
                    try await group.waitForAll()
                }
                for client in clients { #expect(try await client.get("n")?.text == "200") }
            }
        }

        /// Sends the same increment until it is answered with success: the idempotency key makes it count once.
        private static func increment(_ client: StoreClient, key: String) async throws {
            let deadline = ContinuousClock.now + .seconds(90)
            while true {
                do {
                    _ = try await client.increment("n", idempotencyKey: key)
                    return
                } catch let error as KeyValueError {
                    guard ContinuousClock.now < deadline else { throw error }
                }
            }
        }

        @Test func `shows every change to watchers of another service, once and in order, when a member is killed`()
            async throws
        {
            try await Self.with(services: 2, members: 3) { members, cluster, _, clients in
                let first = try await clients[0].set("k", "0").revision
                let seen = Mutex<[String]>([])
                let watching = Task {
                    for try await event in clients[1].watch(key: "k", since: first) {
                        for change in event.changes {
                            if case .set(let value) = change.kind { seen.withLock { $0.append(value.text ?? "") } }
                        }
                    }
                }
                defer { watching.cancel() }
                for number in 1...100 {
                    if number == 50 {
                        members.members[try await members.leader(cluster)].process.signal(SIGKILL)
                    }
                    let deadline = ContinuousClock.now + .seconds(60)
                    while true {
                        do {
                            _ = try await clients[0].set("k", "\(number)", idempotencyKey: "number-\(number)")
                            break
                        } catch let error as KeyValueError {
                            guard ContinuousClock.now < deadline else { throw error }
                        }
                    }
                }
                try await Poll.eventually("all changes", seconds: 60) { seen.withLock { $0.count } >= 100 }
                #expect(seen.withLock { $0 } == (1...100).map { "\($0)" })
            }
        }

        @Test func `is not ready without a majority, refuses definitely, and recovers`() async throws {
            try await Self.with(services: 1, members: 3) { members, _, services, clients in
                _ = try await clients[0].set("a", "1")
                for member in members.members[1...] { try member.process.pause() }
                let port = try services[0].waitForPort()
                try await Poll.eventually("not ready", seconds: 60) {
                    (try? HTTPConnection(port: port).request("GET", "/readyz").status) == 503
                }
                for member in members.members[1...] { member.process.signal(SIGCONT) }
                try services[0].waitUntilReady(port: port)
                #expect(try await clients[0].get("a")?.text == "1")
            }
        }
    }
}

private final class Tally: Sendable {
    let value = Atomic<Int>(0)
}
