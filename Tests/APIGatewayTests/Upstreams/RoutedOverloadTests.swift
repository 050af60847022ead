import TestSupport
import Testing

@testable import APIGateway
@testable import HTTP1

@Suite("Overload of one of several upstreams", .timeLimit(.minutes(1)))
struct RoutedOverloadTests {
    private func failures(_ gateway: RoutedGateway, _ place: Int) -> [String] {
        gateway.upstreams.table.entries[place].upstream.monitor.metrics.failuresTotal
            .filter { $0.count > 0 }.map(\.reason)
    }

    /// Two reads in flight and three that wait.
    private func fill(_ gateway: RoutedGateway, _ place: Int, key: String) async throws -> Task<Void, Never> {
        let task = Task {
            await withTaskGroup { group in
                for _ in 1...5 { group.addTask { _ = await gateway.get(key) } }
            }
        }
        let monitor = gateway.upstreams.table.entries[place].upstream.monitor
        try await Poll.eventually { monitor.counts.active == 2 && monitor.counts.waiting == 3 }
        return task
    }

    @Test func `refuses from the head what is for it, and what names no key there if all are overloaded`() async throws
    {
        let gate = FakeGate()
        func server() -> FakeHTTPServer { FakeHTTPServer { _ in [.waitFor(gate)] + FakeAnswer.missing } }
        var limits = UpstreamLimits()
        limits.pool.maxConnections = 2
        limits.pool.queue.burstNanoseconds = 1_000_000
        limits.waitNanoseconds = 60_000_000_000
        try await withRoutedGateway([("a/", server()), ("b/", server())], budget: 4, limits: limits) { gateway, _ in
            let first = try await self.fill(gateway, 0, key: "a/1")
            try await Poll.eventually { try await gateway.refuses(.get, query: "key=a%2F1") }
            #expect(self.failures(gateway, 0) == ["pool_exhausted"])
            for query in ["key=b/1", "key=none", "key=", "prefix=a/", nil] {
                #expect(try await !gateway.refuses(.get, query: query), "\(query ?? "-")")
            }
            #expect(try await !gateway.refuses(.put, query: "key=a/1"), "writes have a queue of their own")
            let second = try await self.fill(gateway, 1, key: "b/1")
            try await Poll.eventually { try await gateway.refuses(.get, query: nil) }
            #expect(try await gateway.refuses(.get, query: "key=b/1"))
            gate.open()
            await first.value
            await second.value
            try await Poll.eventually { try await !gateway.refuses(.get, query: "key=a/1") }
        }
    }
}
