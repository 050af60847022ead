import NIOCore
import NIOPosix
import PrometheusMetrics
import TestSupport
import Testing

@testable import APIGateway

@Suite("When kv-service", .timeLimit(.minutes(1)))
struct UpstreamFailureTests {
    private func unusedPort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        try await channel.close()
        return port
    }

    @Test func `is not there, a request is tried three times and was surely not applied`() async throws {
        let gateway = try await ForwarderHarness(port: try await self.unusedPort())
        for answer in [await gateway.set("k", "v"), await gateway.get("k"), await gateway.delete("k")] {
            #expect(answer.status == 502)
            #expect(answer.code == "upstream_unreachable")
            #expect(answer.text.contains("Connection refused"))
            #expect(answer.attempts == 3)
        }
        #expect(await gateway.set("k", "v").applied == "no")
        #expect(await gateway.get("k").applied == nil)
        try await gateway.shutDown()
    }

    @Test func `comes back while a write waits for it, the write succeeds`() async throws {
        let port = try await self.unusedPort()
        // As many attempts as fit into the time, so that it does not matter how soon the upstream starts.
        var limits = UpstreamLimits()
        limits.retry.maxAttempts = .max
        limits.retry.maxBudget = 1_000
        let gateway = try await ForwarderHarness(port: port, limits: limits, timeoutMilliseconds: 20_000)
        let upstream = FakeHTTPServer { _ in FakeAnswer.stored(1) }
        async let answer = gateway.set("k", "v")
        try await Poll.eventually { gateway.monitor.metrics.connectFailures.value > 0 }
        _ = try await upstream.start(port: port)
        #expect(await answer.status == 200)
        #expect(await answer.attempts > 1)
        #expect(upstream.requests.count == 1)
        try await gateway.shutDown()
        try await upstream.stop()
    }

    @Test func `does not answer, the deadline ends the request`() async throws {
        let upstream = FakeHTTPServer { _ in [] }
        try await withGateway(timeoutMilliseconds: 50, upstream: upstream) { gateway in
            let clock = ContinuousClock()
            let started = clock.now
            let set = await gateway.set("k", "v")
            #expect(clock.now - started >= .milliseconds(50))
            #expect(set.status == 504)
            #expect(set.code == "upstream_timeout")
            #expect(set.applied == "unknown")
            let get = await gateway.get("k")
            #expect(get.status == 504)
            #expect(get.applied == nil)
            #expect(upstream.requests.count == 2)
            // A late answer must not meet the next request.
            #expect(upstream.connections == 2)
            try await gateway.wait { $0.active == 0 && $0.idle == 0 }
        }
    }

    @Test func `does not answer before the client's own deadline, that counts for no circuit, the gateway's does`()
        async throws
    {
        let upstream = FakeHTTPServer { _ in [] }
        try await withGateway(timeoutMilliseconds: 60_000, breakerFailures: 3, upstream: upstream) { gateway in
            for _ in 0..<6 {
                let set = await gateway.set(key: [1], value: [2], timeoutMilliseconds: 50)
                #expect(set.status == 504 && set.code == "upstream_timeout")
            }
            #expect(upstream.requests.count == 6, "all of them waited for an answer")
            #expect(UpstreamCircuit.allCases.allSatisfy { gateway.monitor.circuit($0).state == .closed })
        }
        let silent = FakeHTTPServer { _ in [] }
        try await withGateway(timeoutMilliseconds: 50, breakerFailures: 3, upstream: silent) { gateway in
            for _ in 0..<3 {
                #expect(await gateway.set(key: [1], value: [2], timeoutMilliseconds: 60_000).status == 504)
            }
            #expect(gateway.monitor.circuit(.writes).state != .closed)
        }
    }

    @Test func `does not answer one request, another with a later deadline goes on`() async throws {
        let gate = FakeGate()
        let upstream = FakeHTTPServer { request in
            request.key == [1] ? [] : [.waitFor(gate)] + FakeAnswer.value([1], revision: 1)
        }
        try await withGateway(timeoutMilliseconds: 60_000, upstream: upstream) { gateway in
            async let late = gateway.get("k")
            try await gateway.wait { $0.active == 1 }
            #expect(await gateway.set(key: [1], value: [2], timeoutMilliseconds: 50).code == "upstream_timeout")
            try await gateway.wait { $0.active == 1 && $0.idle == 0 }
            gate.open()
            #expect(await late.status == 200)
            try await gateway.wait { $0.active == 0 && $0.idle == 1 }
        }
    }

    @Test func `answers too slowly, the deadline is for the whole answer`() async throws {
        let upstream = FakeHTTPServer { _ in
            [.text("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")]
                + (0..<100).flatMap { _ in [FakeStep.text("x"), .wait(milliseconds: 20)] }
        }
        try await withGateway(timeoutMilliseconds: 60, upstream: upstream) { gateway in
            #expect(await gateway.get("k").code == "upstream_timeout")
        }
    }

    @Test func `closes a kept connection, the next write goes over another one`() async throws {
        let upstream = FakeHTTPServer { _ in FakeAnswer.stored(1) + [.close] }
        try await withGateway(upstream: upstream) { gateway in
            for _ in 0..<5 {
                let answer = await gateway.set("k", "v")
                #expect(answer.status == 200)
                #expect(answer.attempts == 1)
                try await gateway.wait { $0.idle == 0 && $0.active == 0 }
            }
            #expect(upstream.connections == 5)
        }
    }

    @Test(arguments: [FakeStep.close, .reset])
    func `closes a kept connection under a request, reads and writes are sent again, a write with its key`(
        end: FakeStep
    ) async throws {
        let upstream = FakeHTTPServer { request in
            if request.number > 1 { return [end] }
            return request.method == "POST" ? FakeAnswer.stored(1) : FakeAnswer.value([1], revision: 1)
        }
        try await withGateway(upstream: upstream) { gateway in
            #expect(await gateway.get("k").status == 200)
            let read = await gateway.get("k")
            #expect(read.status == 200 && read.attempts == 2)
            let write = await gateway.set("k", "v")
            #expect(write.status == 200 && write.attempts == 2)
            let keys = upstream.requests.filter { $0.method == "POST" }.map { $0.fields["idempotency-key"] }
            #expect(keys.count == 2 && keys[0] == keys[1] && keys[0] != nil)
            #expect(await gateway.set("k", "v").status == 200)
            #expect(upstream.requests.last?.fields["idempotency-key"] != keys[0])
        }
    }

    @Test func `closes every connection at once, a read is tried three times and a write once`() async throws {
        let upstream = FakeHTTPServer(onConnect: { _ in [.close] }) { _ in [] }
        try await withGateway(upstream: upstream) { gateway in
            let read = await gateway.get("k")
            #expect(read.status == 502)
            #expect(read.attempts == 3)
            let write = await gateway.set("k", "v")
            #expect(write.status == 502)
            // Either the close was detected before the request was written, or the result is unknown.
            #expect((write.applied == "unknown") == (write.code == "upstream_reset"))
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test func `resets the connection within a request, a write is sent again some times`() async throws {
        let upstream = FakeHTTPServer(bytesBeforeReset: 300) { _ in FakeAnswer.stored(1) }
        try await withGateway(timeoutMilliseconds: 60_000, upstream: upstream) { gateway in
            let write = await gateway.set(key: [1], value: [UInt8](repeating: 0, count: 65536))
            #expect(write.status == 502)
            #expect(write.applied == "unknown")
            #expect(write.attempts == RetryPolicy.Limits().maxAttemptsOfUnknown)
            #expect(upstream.connections == write.attempts)
        }
    }

    @Test(arguments: [FakeStep.close, .reset])
    func `closes the connection within its answer, a read is sent again and a write some times`(
        end: FakeStep
    ) async throws {
        let upstream = FakeHTTPServer { request in
            request.connection % 2 == 1
                ? [
                    .text("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 9\r\n\r\n12"),
                    end,
                ]
                : FakeAnswer.value([1], revision: 1)
        }
        try await withGateway(upstream: upstream) { gateway in
            let read = await gateway.get("k")
            #expect(read.status == 200)
            #expect(read.attempts == 2)
        }
        let writes = FakeHTTPServer { _ in [.text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12"), end] }
        try await withGateway(timeoutMilliseconds: 60_000, upstream: writes) { gateway in
            let write = await gateway.delete("k")
            #expect(write.code == "upstream_reset")
            #expect(write.applied == "unknown")
            #expect(writes.requests.count == RetryPolicy.Limits().maxAttemptsOfUnknown)
            #expect(Set(writes.requests.map { $0.fields["idempotency-key"] }).count == 1)
        }
    }

    @Test func `fails repeatedly, requests are kept from it until a probe reaches it`() async throws {
        let port = try await self.unusedPort()
        let gateway = try await ForwarderHarness(port: port, breakerFailures: 3)
        #expect(await gateway.set("k", "v").code == "upstream_unreachable")
        let refused = await gateway.set("k", "v")
        #expect(refused.status == 503)
        #expect(refused.code == "circuit_open")
        #expect(refused.applied == "no")
        #expect(refused.headers["Retry-After"].flatMap { Int($0) } ?? 0 >= 1)
        #expect(UpstreamCircuit.allCases.allSatisfy { gateway.monitor.circuit($0).state != .closed })
        let upstream = FakeHTTPServer { request in
            request.path == "/readyz" ? FakeAnswer.ready : FakeAnswer.stored(1)
        }
        _ = try await upstream.start(port: port)
        try await gateway.probe()
        try await Poll.eventually { gateway.monitor.isReady }
        #expect(UpstreamCircuit.allCases.allSatisfy { gateway.monitor.circuit($0).state == .closed })
        #expect(await gateway.set("k", "v").status == 200)
        try await gateway.shutDown()
        try await upstream.stop()
    }

    @Test func `is probed, the gateway knows whether it is there and whether it is ready`() async throws {
        let port = try await self.unusedPort()
        let gateway = try await ForwarderHarness(port: port)
        #expect(!gateway.monitor.isReachable)
        #expect(!gateway.monitor.isReady)
        let upstream = FakeHTTPServer { request in
            request.number == 1 ? FakeAnswer.notReady : FakeAnswer.ready
        }
        _ = try await upstream.start(port: port)
        try await gateway.probe()
        try await Poll.eventually { gateway.monitor.isReachable }
        #expect(!gateway.monitor.isReady)
        try await gateway.wait { $0.idle == 1 }
        try await gateway.probe()
        try await Poll.eventually { gateway.monitor.isReady }
        #expect(upstream.requests.map(\.target) == ["/readyz", "/readyz"])
        try await upstream.stop()
        for number in 1...3 {
            // One or two failures must not take the gateway out of service.
            #expect(gateway.monitor.isReachable)
            try await gateway.wait { $0.idle == 0 && $0.active == 0 }
            try await gateway.probe()
            try await Poll.eventually { gateway.monitor.metrics.connectFailures.value >= number }
            try await gateway.wait { $0.connecting == 0 && $0.waiting == 0 }
            #expect(!gateway.monitor.isReady)
        }
        #expect(!gateway.monitor.isReachable)
        #expect(gateway.monitor.lastFailure?.failure.label == "connect")
        try await gateway.shutDown()
    }

    @Test func `is no longer asked, what waits is refused and what is under way is finished`() async throws {
        var limits = UpstreamLimits()
        limits.pool.maxConnections = 1
        limits.waitNanoseconds = 60_000_000_000
        let gate = FakeGate()
        let upstream = FakeHTTPServer { _ in [.waitFor(gate)] + FakeAnswer.stored(1) }
        try await withGateway(limits: limits, timeoutMilliseconds: 60_000, upstream: upstream) { gateway in
            async let first = gateway.set("1", "v")
            try await gateway.wait { $0.active == 1 }
            async let second = gateway.set("2", "v")
            try await gateway.wait { $0.waiting == 1 }
            try await gateway.shutDownPool()
            #expect(await second.code == "stopping")
            #expect(await second.applied == "no")
            #expect(await gateway.set("3", "v").code == "stopping")
            gate.open()
            #expect(await first.status == 200)
            try await gateway.wait { $0.active == 0 && $0.idle == 0 }
        }
    }

    @Test func `is idle, its connections are closed before it closes them`() async throws {
        var limits = UpstreamLimits()
        limits.pool.idleNanoseconds = 20_000_000
        limits.idleSweepNanoseconds = 5_000_000
        let upstream = FakeHTTPServer { _ in FakeAnswer.stored(1) }
        try await withGateway(limits: limits, upstream: upstream) { gateway in
            #expect(await gateway.set("k", "v").status == 200)
            try await gateway.wait { $0.active == 0 && $0.idle == 0 }
            #expect(await gateway.set("k", "v").status == 200)
            #expect(upstream.connections == 2)
        }
    }
}
