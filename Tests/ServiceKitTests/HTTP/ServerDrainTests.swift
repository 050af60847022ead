import HTTP1
import HTTPServing
import Health
import NIOCore
import NIOHTTP1
import NIOPosix
import Telemetry
import TestSupport
import Testing

/// How the server stops, and what it answers while the service is not ready.
@Suite(.timeLimit(.minutes(1)))
struct ServerDrainTests {
    @Test func `a drain closes idle connections, answers the requests that were read, and takes no new connection`()
        async throws
    {
        let server = try await TestServer.start()
        let idle = try await server.connect()
        idle.send("GET /get HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try await idle.receiveAnswers(1)
        let busy = try await server.connect()
        busy.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\nGET /get?read HTTP/1.1\r\nHost: a\r\n\r\nGET /get?never HT")
        try await Poll.eventually { server.held.count == 1 }

        server.server.beginDrain()
        #expect(try await idle.receiveToEnd().statuses == [200])
        try await server.refusesConnections()
        let drained = Task { await server.server.waitUntilDrained(timeout: .seconds(20)) }
        server.held.release()
        let answer = try await busy.receiveToEnd()
        #expect(answer.statuses == [200, 200])
        #expect(answer.occurrences(of: "Connection: close\r\n") == 1)
        #expect(answer.hasSuffix("got read"))
        #expect(await drained.value == HTTPServer.Cut())
        #expect(server.server.connections == 0)
    }

    @Test func `what arrives on open connections while the service stops is served, and ends them`() async throws {
        var limits = HTTPServer.Limits()
        limits.drainGrace = .seconds(60)
        let server = try await TestServer.start(limits: limits)
        // Both are answered once: a connection that is being set up ends with its listener.
        let begun = try await server.connect()
        begun.send("GET /get?first HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try await begun.receiveAnswers(1)
        begun.send("GET /get?begun HTTP/1.1\r\nHo")
        let idle = try await server.connect()
        idle.send("GET /get?first HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try await idle.receiveAnswers(1)
        server.gate.set(.stopping)
        server.server.beginDrain()
        try await server.refusesConnections()
        begun.send("st: a\r\n\r\n")
        idle.send("POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        for client in [begun, idle] {
            let answer = try await client.receiveToEnd()
            #expect(answer.statuses == [200, 200])
            #expect(answer.occurrences(of: "Connection: close\r\n") == 1)
        }
        #expect(await server.server.waitUntilDrained(timeout: .seconds(20)) == HTTPServer.Cut())
    }

    private final class Waiting: HeldRequest {
        let responder: Responder

        init(_ responder: Responder) { self.responder = responder }

        func hasRoom() {}
        func clientGone() {}
        func serverStops() { self.responder.respond(.json(.ok, Array("stops".utf8))) }
    }

    @Test func `a request that begins to wait while the server stops is ended`() async throws {
        var limits = HTTPServer.Limits()
        limits.drainGrace = .seconds(60)
        let server = try await TestServer.start(limits: limits) { _ in
            let hold: Route.Action = { _, responder in responder.hold(by: Waiting(responder)) }
            return [
                Route(
                    path: "/more", handler: "more", kind: .data(isWrite: false), access: .open,
                    actions: [(.get, hold)])
            ]
        }
        let client = try await server.connect()
        client.send("GET /get HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try await client.receiveAnswers(1)
        server.server.beginDrain()
        try await server.refusesConnections()
        client.send("GET /more HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try await client.receiveToEnd().hasSuffix("stops"))
        #expect(await server.server.waitUntilDrained(timeout: .seconds(20)) == HTTPServer.Cut())
    }

    @Test func `a drain ends at its deadline and says how many requests it cut`() async throws {
        let server = try await TestServer.start()
        let held = try await server.connect()
        held.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        try await Poll.eventually { server.held.count == 1 }
        server.server.beginDrain()
        #expect(await server.server.waitUntilDrained(timeout: .milliseconds(100)) == HTTPServer.Cut(requests: 1))
        #expect(try await held.receiveToEnd().statuses == [503])
        #expect(server.server.connections == 0)
        server.held.release()
    }

    @Test func `a request that the end of a drain cuts off is told so, logged and counted, once`() async throws {
        let held = HeldRequests()
        let server = try await TestServer.start { _ in
            [
                Route(
                    path: "/held-write", handler: "more", kind: .data(isWrite: true), access: .open,
                    actions: [(.post, { _, responder in held.hold(responder) })])
            ]
        }
        func head(_ line: String, _ fields: String = "") -> String {
            "\(line) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n"
        }
        let read = try await server.connect()
        read.send(head("GET /held", "X-Request-Id: read\r\n"))
        let write = try await server.connect()
        write.send(head("POST /held-write", "X-Request-Id: write\r\n"))
        let fixed = try await server.connect()
        fixed.send(head("POST /write", "X-Request-Id: fixed\r\nContent-Length: 9\r\n") + "1234")
        let chunked = try await server.connect()
        chunked.send(head("POST /body", "X-Request-Id: chunked\r\nTransfer-Encoding: chunked\r\n") + "3\r\n123\r\n")
        try await Poll.eventually {
            held.count == 1 && server.held.count == 1 && server.metrics.requestsInFlight == 4
        }
        server.server.beginDrain()
        #expect(await server.server.waitUntilDrained(timeout: .milliseconds(500)) == HTTPServer.Cut(requests: 4))

        let expected: [(client: RawClient, retries: Bool, applied: String?)] = [
            (read, false, nil), (write, false, "unknown"), (fixed, true, "no"), (chunked, true, nil),
        ]
        for (client, retries, applied) in expected {
            let answer = try await client.receiveToEnd()
            #expect(answer.statuses == [503])
            #expect(answer.contains("Connection: close\r\n"))
            #expect(answer.contains("\"code\":\"stopping\""))
            #expect(answer.contains("Retry-After: 1\r\n") == retries)
            #expect(answer.contains("\"applied\"") == (applied != nil))
            if let applied { #expect(answer.contains("\"applied\":\"\(applied)\"")) }
        }
        // Later answers of the actions change nothing.
        held.release()
        server.held.release()
        for loop in TestServer.group.makeIterator() { try await loop.submit {}.get() }
        #expect(server.metrics.requestsInFlight == 0)
        #expect(server.metric("http_requests_total{handler=\"held\",method=\"GET\",status=\"503\"}") == 1)
        #expect(server.metric("http_requests_total{handler=\"held\",method=\"GET\",status=\"200\"}") == 0)
        #expect(server.metric("http_request_failures_total{handler=\"more\",reason=\"stopping\"}") == 1)
        #expect(server.metric("http_request_failures_total{handler=\"write\",reason=\"stopping\"}") == 1)
        let lines = try await server.stopAndReadLog()
        #expect(lines.count == 4)
        for id in ["read", "write", "fixed", "chunked"] {
            let line = try #require(lines.first { $0.contains("\"request_id\":\"\(id)\"") })
            #expect(line.contains("\"status\":503"))
            #expect(line.contains("\"code\":\"stopping\""))
        }
    }

    @Test func `a client that takes nothing does not hold the end of a drain`() async throws {
        let server = try await TestServer.start()
        let client = try await server.connect()
        try await client.stopReading()
        client.send(String(repeating: "GET /large HTTP/1.1\r\nHost: a\r\n\r\n", count: 64))
        try await Poll.eventually {
            (server.metric("http_requests_total{handler=\"large\",method=\"GET\",status=\"200\"}") ?? 0) >= 1
        }
        server.server.beginDrain()
        #expect(await server.server.waitUntilDrained(timeout: .milliseconds(100)) == HTTPServer.Cut(responses: 1))
        #expect(server.metric("http_responses_cut_total{reason=\"stopping\"}") == 1)
        #expect(server.server.connections == 0)
        client.close()
    }

    @Test func `a drain sends what waits for the socket, and answers what was read behind it`() async throws {
        let server = try await TestServer.start()
        let client = try await server.connect()
        try await client.stopReading()
        client.send(String(repeating: "GET /large HTTP/1.1\r\nHost: a\r\n\r\n", count: 24))
        // The client does not read: the first answers fill the socket, and the requests behind them wait.
        try await Poll.eventually {
            (server.metric("http_requests_total{handler=\"large\",method=\"GET\",status=\"200\"}") ?? 0) >= 1
        }
        server.server.beginDrain()
        let drained = Task { await server.server.waitUntilDrained(timeout: .seconds(20)) }
        try await client.startReading()
        let answers = try await client.receiveToEnd(within: .seconds(20))
        #expect(answers.statuses == Array(repeating: 200, count: 24))
        #expect(answers.utf8.count > 24 << 20)
        #expect(answers.occurrences(of: "Connection: close\r\n") == 1)
        #expect(await drained.value == HTTPServer.Cut())
        #expect(server.metric("http_responses_cut_total{reason=\"stopping\"}") == 0)
    }

    @Test(arguments: ["\r\n", "G", "GET /get HTT", "GET /get HTTP/1.1\r\nHost: a\r\nX: b"])
    func `a part of a head neither holds a drain up nor is cut off by it`(part: String) async throws {
        let server = try await TestServer.start()
        let first = try await server.connect()
        first.send(part)
        let later = try await server.connect()
        later.send("GET /get HTTP/1.1\r\nHost: a\r\n\r\n" + part)
        _ = try await later.receiveAnswers(1)
        // An empty line alone is no request yet.
        let begun = part == "\r\n" ? 0 : 2
        try await Poll.eventually { server.metrics.requestsInFlight == begun }
        server.server.beginDrain()
        let begin = ContinuousClock.now
        #expect(await server.server.waitUntilDrained(timeout: .seconds(20)) == HTTPServer.Cut())
        #expect(ContinuousClock.now - begin < .seconds(5))
        #expect(try await first.receiveToEnd() == "")
        #expect(try await later.receiveToEnd().statuses == [200])
        #expect(server.metrics.requestsInFlight == 0)
    }

    @Test func `a head that comes whole just after the beginning of a drain is answered`() async throws {
        var limits = HTTPServer.Limits()
        limits.drainGrace = .seconds(10)
        let server = try await TestServer.start(limits: limits)
        let partial = try await server.connect()
        partial.send("GET /get?whole HT")
        let idle = try await server.connect()
        try await Poll.eventually { server.metrics.requestsInFlight == 1 && server.metrics.connections == 2 }
        server.server.beginDrain()
        let drained = Task { await server.server.waitUntilDrained(timeout: .seconds(20)) }
        for loop in TestServer.group.makeIterator() { try await loop.submit {}.get() }
        partial.send("TP/1.1\r\nHost: a\r\n\r\n")
        idle.send("GET /get?whole HTTP/1.1\r\nHost: a\r\n\r\n")
        for client in [partial, idle] {
            let answer = try await client.receiveToEnd()
            #expect(answer.statuses == [200])
            #expect(answer.contains("Connection: close\r\n") && answer.hasSuffix("got whole"))
        }
        #expect(await drained.value == HTTPServer.Cut())
    }

    @Test func `a connection above the limit does not hold a drain up`() async throws {
        var limits = HTTPServer.Limits()
        limits.connections = 1
        limits.lingerTimeout = .seconds(60)
        let server = try await TestServer.start(limits: limits)
        let taken = try await server.connect()
        taken.send("GET /get HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try await taken.receiveAnswers(1)
        let above = try await server.connect()
        #expect(try await above.receiveAnswers(1).statuses == [503])
        server.server.beginDrain()
        let begin = ContinuousClock.now
        #expect(await server.server.waitUntilDrained(timeout: .seconds(20)) == HTTPServer.Cut())
        #expect(ContinuousClock.now - begin < .seconds(5))
        above.close()
    }

    @Test func `a drain without connections is over at once`() async throws {
        let server = try await TestServer.start()
        server.server.beginDrain()
        let begin = ContinuousClock.now
        #expect(await server.server.waitUntilDrained(timeout: .seconds(20)) == HTTPServer.Cut())
        #expect(ContinuousClock.now - begin < .seconds(5))
    }

    @Test(arguments: [
        (ServiceGate.State.starting, "starting"),
        (.replaying, "starting"),
        (.stopping, "stopping"),
        (.stopped, "stopping"),
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

    @Test(arguments: [ServiceGate.State.ready, .failed(reason: "disk")])
    func `data routes are taken while reads can be served`(state: ServiceGate.State) async throws {
        let server = try await TestServer.start(state: state)
        let answer = try await server.exchange(
            "GET /get HTTP/1.1\r\nHost: a\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        #expect(answer.statuses == [200, state == .ready ? 200 : 503])
        await server.stop()
    }
}
