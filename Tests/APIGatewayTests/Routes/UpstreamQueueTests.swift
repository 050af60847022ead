import NIOCore
import NIOPosix
import PrometheusMetrics
import TestSupport
import Testing

@testable import APIGateway

@Suite("When requests wait because kv-service", .timeLimit(.minutes(2)))
struct UpstreamQueueTests {
    @Test func `is slow, what the queue cannot hold is refused at once`() async throws {
        var limits = UpstreamLimits()
        // Two for writes; one remains for reads.
        limits.pool.maxConnections = 3
        limits.pool.maxWaiting = 1
        limits.waitNanoseconds = 60_000_000_000
        let gate = FakeGate()
        let upstream = FakeHTTPServer { _ in [.waitFor(gate)] + FakeAnswer.stored(1) }
        try await withGateway(limits: limits, timeoutMilliseconds: 60_000, upstream: upstream) { gateway in
            async let first = gateway.set("1", "v")
            async let second = gateway.set("2", "v")
            try await gateway.wait { $0.active == 2 }
            async let waiting = gateway.set("3", "v")
            try await gateway.wait { $0.waiting == 1 }
            let refused = await gateway.set("4", "v")
            #expect(refused.status == 503)
            #expect(refused.code == "overloaded")
            #expect(refused.applied == "no")
            #expect(refused.headers["Retry-After"] == "1")
            gate.open()
            let answered = [await first.status, await second.status, await waiting.status]
            #expect(answered == [200, 200, 200])
            #expect(upstream.connections == 2)
            #expect(upstream.requests.count == 3)
        }
    }

    @Test func `is slow, what waits for a connection too long is refused and was surely not applied`() async throws {
        var limits = UpstreamLimits()
        limits.pool.maxConnections = 1
        limits.waitNanoseconds = 30_000_000
        let gate = FakeGate()
        let upstream = FakeHTTPServer { _ in [.waitFor(gate)] + FakeAnswer.stored(1) }
        try await withGateway(limits: limits, timeoutMilliseconds: 60_000, upstream: upstream) { gateway in
            async let first = gateway.set("1", "v")
            try await gateway.wait { $0.active == 1 }
            let late = await gateway.set("2", "v")
            #expect(late.status == 503)
            #expect(late.code == "overloaded")
            #expect(late.applied == "no")
            gate.open()
            #expect(await first.status == 200)
            #expect(upstream.requests.count == 1)
        }
    }

    @Test func `is overloaded with reads, those are refused from their head, and writes and probes are not`()
        async throws
    {
        var limits = UpstreamLimits()
        limits.pool.maxConnections = 2
        // Longer than it takes until all five reads have come, also on a slow machine.
        limits.pool.queue.burstNanoseconds = 1_000_000_000
        limits.waitNanoseconds = 60_000_000_000
        let gate = FakeGate()
        let upstream = FakeHTTPServer {
            $0.path == "/readyz" ? FakeAnswer.ready : [.waitFor(gate)] + FakeAnswer.missing
        }
        try await withGateway(limits: limits, timeoutMilliseconds: 60_000, upstream: upstream) { gateway in
            #expect(try await !gateway.refuses(isWrite: false))
            let reads = Task {
                await withTaskGroup(of: UInt.self) { group in
                    for _ in 1...5 { group.addTask { await gateway.get("k").status } }
                    return await group.reduce(into: [UInt]()) { $0.append($1) }
                }
            }
            try await gateway.wait { $0.active == 2 && $0.waiting == 3 }
            try await Poll.eventually { try await gateway.refuses(isWrite: false) }
            #expect(try await !gateway.refuses(isWrite: true))
            let refused = await gateway.get("k")
            #expect(refused.status == 503 && refused.code == "overloaded" && refused.headers["Retry-After"] == "1")
            #expect(gateway.monitor.metrics.failuresTotal.filter { $0.count > 0 }.map(\.reason) == ["pool_exhausted"])
            let metrics = String(decoding: gateway.registry.render(), as: UTF8.self)
            #expect(metrics.contains(#"gateway_upstream_requests_waiting{requests="reads",upstream="kv-service"} 3"#))
            #expect(metrics.contains(#"gateway_upstream_concurrency_limit{requests="reads",upstream="kv-service"} 2"#))
            gate.open()
            #expect(await reads.value == Array(repeating: 404, count: 5))
            try await gateway.probe()
            #expect(gateway.monitor.isReady)
        }
    }

    @Test func `leaves no connection free before the deadline, the request was surely not applied`() async throws {
        var limits = UpstreamLimits()
        limits.pool.maxConnections = 1
        limits.waitNanoseconds = 60_000_000_000
        let upstream = FakeHTTPServer { _ in [] }
        try await withGateway(limits: limits, timeoutMilliseconds: 100, upstream: upstream) { gateway in
            async let first = gateway.set("1", "v")
            async let second = gateway.set("2", "v")
            let applied = [await first.applied, await second.applied]
            #expect(await first.code == "upstream_timeout")
            #expect(await second.code == "upstream_timeout")
            // The second request either fails in the queue, or is sent after the deadline of the first; on a busy
            // machine the first may not have been sent either.
            let (sent, unsent) = (applied.count { $0 == "unknown" }, applied.count { $0 == "no" })
            #expect(sent + unsent == 2)
            #expect(upstream.requests.count <= sent)
        }
    }

    @Test func `answers in time, what waited is sent over the same few connections`() async throws {
        var limits = UpstreamLimits()
        limits.pool.maxConnections = 2
        let upstream = FakeHTTPServer { request in
            [.wait(milliseconds: 2)] + FakeAnswer.value(request.key ?? [], revision: 1)
        }
        try await withGateway(limits: limits, upstream: upstream) { gateway in
            let right = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<60 {
                    group.addTask {
                        let headers = [("Accept", "application/octet-stream")]
                        return await gateway.get("key \(number)", headers: headers).text == "key \(number)"
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(right == 60)
            #expect(upstream.connections <= 2)
        }
    }

    @Test func `stalls for writes, those leave connections and places in the queue to reads`() async throws {
        var limits = UpstreamLimits()
        limits.pool.maxConnections = 4
        limits.pool.maxWaiting = 4
        limits.waitNanoseconds = 60_000_000_000
        let gate = FakeGate()
        let upstream = FakeHTTPServer { request in
            request.method == "GET" ? FakeAnswer.missing : [.waitFor(gate)] + FakeAnswer.stored(1)
        }
        try await withGateway(limits: limits, timeoutMilliseconds: 60_000, upstream: upstream) { gateway in
            let writes = Task {
                await withTaskGroup(of: UInt.self) { group in
                    for number in 0..<6 { group.addTask { await gateway.set("\(number)", "v").status } }
                    return await group.reduce(into: [UInt]()) { $0.append($1) }
                }
            }
            try await gateway.wait { $0.active == 3 && $0.waiting == 3 }
            for _ in 1...3 { #expect(await gateway.get("k").status == 404) }
            #expect(upstream.connections == 4)
            gate.open()
            #expect(await writes.value == Array(repeating: 200, count: 6))
            #expect(upstream.connections == 4)
        }
    }

    @Test(arguments: ["starting", "stopping"])
    func `restarts, they are carried out afterwards`(_ code: String) async throws {
        var limits = UpstreamLimits()
        limits.retry.restartNanoseconds = 60_000_000_000
        let upstream = FakeHTTPServer { request in
            if request.connection == 1, request.number < 3 {
                return FakeAnswer.problem(
                    "503 Service Unavailable", #"{"code":"\#(code)","detail":"x","applied":"no"}"#)
            }
            return request.method == "POST" ? FakeAnswer.stored(7) : FakeAnswer.value([1], revision: 1)
        }
        try await withGateway(limits: limits, timeoutMilliseconds: 60_000, upstream: upstream) { gateway in
            let write = await gateway.set("k", "v")
            #expect(write.status == 200 && write.attempts == 3)
            #expect(Set(upstream.requests.map { $0.fields["idempotency-key"] }).count == 1)
            #expect(await gateway.get("k").status == 200)
            #expect(gateway.monitor.metrics.retriesTotal == 2)
        }
    }

    @Test func `starts for longer than a restart takes, they are told so`() async throws {
        var limits = UpstreamLimits()
        limits.retry.restartNanoseconds = 0
        let upstream = FakeHTTPServer { _ in
            FakeAnswer.problem("503 Service Unavailable", #"{"code":"starting","detail":"x","applied":"no"}"#)
        }
        try await withGateway(limits: limits, timeoutMilliseconds: 60_000, upstream: upstream) { gateway in
            let write = await gateway.set("k", "v")
            #expect(write.status == 503 && write.code == "starting" && write.applied == "no" && write.attempts == 1)
            #expect(await gateway.get("k").code == "starting")
        }
    }

    @Test func `stops while it carries a write out, that is not repeated`() async throws {
        let upstream = FakeHTTPServer { _ in
            FakeAnswer.problem("503 Service Unavailable", #"{"code":"stopping","detail":"x","applied":"unknown"}"#)
        }
        try await withGateway(timeoutMilliseconds: 60_000, upstream: upstream) { gateway in
            let write = await gateway.set("k", "v")
            #expect(write.code == "stopping" && write.applied == "unknown" && write.attempts == 1)
        }
    }
}
