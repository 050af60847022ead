import ServiceKit
import Testing

/// How the server stops, and what it answers while the service is not ready.
@Suite struct ServerDrainTests {
    @Test func `a drain closes idle connections, finishes requests under way, and takes no new connection`()
        async throws
    {
        let server = try await TestServer.start()
        let idle = try await server.connect()
        idle.send("GET /get HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try await idle.receiveAnswers(1)
        let busy = try await server.connect()
        busy.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\nGET /get?never HTTP/1.1\r\nHost: a\r\n\r\n")
        try await server.eventually { server.held.count == 1 }

        server.server.beginDrain()
        #expect(try await idle.receiveToEnd().statuses == [200])
        await #expect(throws: (any Error).self) { try await server.connect() }
        let drained = Task { await server.server.waitUntilDrained(timeout: .seconds(20)) }
        server.held.release()
        let answer = try await busy.receiveToEnd()
        #expect(answer.statuses == [200])
        #expect(answer.contains("Connection: close\r\n"))
        #expect(!answer.contains("never"))
        #expect(await drained.value == 0)
        #expect(server.server.connections == 0)
    }

    @Test func `a drain ends at its deadline and says how many requests it cut`() async throws {
        let server = try await TestServer.start()
        let held = try await server.connect()
        held.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        let partial = try await server.connect()
        partial.send("GET /get HTT")
        try await server.eventually { server.held.count == 1 && server.metrics.requestsInFlight == 2 }
        server.server.beginDrain()
        #expect(await server.server.waitUntilDrained(timeout: .milliseconds(100)) == 2)
        #expect(try await held.receiveToEnd() == "")
        #expect(server.server.connections == 0)
        server.held.release()
    }

    @Test func `a drain without connections is over at once`() async throws {
        let server = try await TestServer.start()
        server.server.beginDrain()
        let begin = ContinuousClock.now
        #expect(await server.server.waitUntilDrained(timeout: .seconds(20)) == 0)
        #expect(ContinuousClock.now - begin < .seconds(5))
    }

    @Test(arguments: [
        (ServiceGate.State.starting, "starting"),
        (.replaying, "starting"),
        (.draining, "draining"),
        (.stopping, "draining"),
    ])
    func `data routes are refused while the service doesn't serve, probes are not`(
        state: ServiceGate.State,
        code: String
    ) async throws {
        let server = try await TestServer.start(state: state)
        let answer = try await server.exchange(
            "POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
                + "GET /get HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
                + "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n"
                + "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        #expect(answer.statuses == [503, 503, 200, 200, 200, 503])
        #expect(answer.occurrences(of: "\"code\":\"\(code)\"") == 2)
        #expect(answer.occurrences(of: "\"applied\":\"no\"") == 1)
        #expect(answer.occurrences(of: "Retry-After: 1\r\n") == 3)
        await server.stop()
    }

    @Test(arguments: [ServiceGate.State.ready, .readOnly(reason: "full"), .failed(reason: "disk")])
    func `data routes are taken while reads can be served`(state: ServiceGate.State) async throws {
        let server = try await TestServer.start(state: state)
        let answer = try await server.exchange(
            "GET /get HTTP/1.1\r\nHost: a\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        #expect(answer.statuses == [200, state == .ready ? 200 : 503])
        await server.stop()
    }
}
