import Glibc
import KeyValueClient
import TestSupport
import Testing

extension EndToEnd {
    @Suite("The client library and the services", .timeLimit(.minutes(10)))
    struct ClientTests {
        private static func with<Result: Sendable>(
            _ services: Services, _ front: Front, _ body: (StoreClient) async throws -> Result
        ) async throws -> Result {
            let port = front == .kvService ? services.kvPort : services.gatewayPort
            return try await StoreClient.with("http://127.0.0.1:\(port)", body)
        }

        private static func error(_ body: () async throws -> some Any) async -> KeyValueError? {
            do {
                _ = try await body()
                return nil
            } catch { return error as? KeyValueError }
        }

        @Test func `any bytes in are the same bytes out, through both services`() async throws {
            let services = try Services()
            var generator = SeededGenerator(printingFor: #function)
            for front in Front.allCases {
                try await Self.with(services, front) { client in
                    for size in [1, 2, 100, 1_024] {
                        let key = generator.bytes(size)
                        let value = generator.bytes(size * 60)
                        let revision = try await client.set(key, value).revision
                        let got = try await client.get(key)
                        #expect(got?.bytes == value && got?.revision == revision && got?.expiresAt == nil)
                        #expect(try await client.delete(key) == revision + 1)
                        #expect(try await client.delete(key) == nil)
                        #expect(try await client.get(key) == nil)
                    }
                    let tooLarge = await Self.error { try await client.set("a", generator.bytes(1 << 17)) }
                    #expect(tooLarge?.status == 413 && tooLarge?.applied == .no)
                    let noKey = await Self.error { try await client.get("") }
                    #expect(noKey?.code == "key_empty" && noKey?.requestID != nil)
                    let status = try await client.status()
                    #expect(status.isReady && status.basePath == "/\(front.rawValue)" && status.serving == "all")
                }
            }
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        @Test func `of clients that race for a key, one wins each revision`() async throws {
            let services = try Services()
            try await Self.with(services, .apiGateway) { client in
                let first = try await client.set("job", "0", if: .absent).revision
                let wins = try await withThrowingTaskGroup(of: UInt64?.self) { group in
                    for number in 0..<16 {
                        group.addTask {
                            do {
                                return try await client.set("job", "\(number)", if: .revision(first)).revision
                            } catch let error as KeyValueError {
                                #expect(error.code == "precondition_failed" && error.applied == .no)
                                #expect((error.revision ?? 0) > first)
                                return nil
                            }
                        }
                    }
                    return try await group.reduce(into: [UInt64]()) { wins, win in win.map { wins.append($0) } }
                }
                #expect(wins == [first + 1])
                let unmet = await Self.error { try await client.set("none", "x", if: .present) }
                #expect(unmet?.code == "precondition_failed" && unmet?.revision == nil)
            }
        }

        @Test func `pages have every key once, in order, in both directions`() async throws {
            let services = try Services()
            let expected = (0..<2_500).map { "user/\(10_000 + $0)" }
            for front in Front.allCases {
                try await Self.with(services, front) { client in
                    if front == .kvService {
                        try await withThrowingTaskGroup(of: Void.self) { group in
                            // More at once would wait for connections, for longer than a client waits on a busy machine.
                            for (number, key) in expected.shuffled().enumerated() {
                                if number >= 64 { try await group.next() }
                                group.addTask { _ = try await client.set(key, key) }
                            }
                            try await group.waitForAll()
                        }
                        try await client.set([0xFF], [0xFF])
                    }
                    let newest = try await client.set([0xFF], [0xFF]).revision
                    var keys: [String] = []
                    for try await page in client.keys(.prefix("user/"), values: true, pageSize: 999) {
                        #expect(page.revision >= newest)
                        #expect(page.keys.allSatisfy { $0.key == $0.value })
                        keys += page.keys.compactMap(\.text)
                    }
                    #expect(keys == expected)
                    #expect(try await client.count(.prefix("user/")).count == UInt64(expected.count))
                    var reversed: [StoredKey] = []
                    for try await page in client.keys(reverse: true) { reversed += page.keys }
                    #expect(reversed.first?.key == [0xFF] && reversed.first?.value == nil)
                    #expect(reversed.dropFirst().compactMap(\.text) == expected.reversed())
                }
            }
        }

        @Test func `writes go on through a kill of kv-service`() async throws {
            let services = try Services(withGateway: false)
            try await Self.with(services, .kvService) { client in
                let before = try await client.set("before", "1").revision
                services.kv.child.signal(SIGKILL)
                try services.kv.child.waitForEnd()
                let away = await Self.error {
                    var configuration = StoreClient.Configuration()
                    configuration.maxAttempts = 1
                    return try await StoreClient.with(
                        "http://127.0.0.1:\(services.kvPort)", configuration: configuration
                    ) { try await $0.set("a", "b") }
                }
                #expect(away?.code == KeyValueError.cannotConnect)
                async let during = client.set("during", "2").revision
                let restarted = try Services.startKV(in: services.folder, listen: "127.0.0.1:\(services.kvPort)")
                #expect(try await during > before)
                #expect(try await client.get("before")?.text == "1")
                #expect(try restarted.stop() == .exited(0))
            }
        }
    }
}
