import HTTPServing
import NIOCore
import Telemetry
import TestSupport
import Testing

/// The limits for one client, each with its answer.
@Suite(.timeLimit(.minutes(1)))
struct ServerLimitTests {
    static let close = "GET /get?last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    @Test func `a target of 8 KiB is taken and one byte more is 414`() async throws {
        let server = try await TestServer.start()
        let longest = String(repeating: "k", count: 8_192 - 5)
        let taken = try await server.exchange("GET /get?\(longest) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(taken.statuses == [200])
        let refused = try await server.exchange("GET /get?\(longest)k HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(refused.statuses == [414])
        #expect(refused.contains("\"code\":\"target_too_long\""))
        let endless = try await server.exchange("GET /" + String(repeating: "k", count: 20_000))
        #expect(endless.statuses == [414])
        await server.stop()
    }

    @Test func `100 fields are taken and one more is 431`() async throws {
        let server = try await TestServer.start()
        func request(_ fields: Int) -> String {
            "GET /get HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                + (2..<fields).map { "X-\($0): y\r\n" }.joined() + "\r\n"
        }
        #expect(try await server.exchange(request(100)).statuses == [200])
        let refused = try await server.exchange(request(101))
        #expect(refused.statuses == [431])
        #expect(refused.contains("\"code\":\"too_many_headers\""))
        await server.stop()
    }

    @Test func `16 KiB of fields are taken and one byte more is 431`() async throws {
        let server = try await TestServer.start()
        let fixed = "Host: a\r\nConnection: close\r\nX: \r\n".utf8.count
        func request(_ bytes: Int) -> String {
            "GET /get HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: "
                + String(repeating: "y", count: bytes - fixed) + "\r\n\r\n"
        }
        #expect(try await server.exchange(request(16_384)).statuses == [200])
        let refused = try await server.exchange(request(16_385))
        #expect(refused.statuses == [431])
        #expect(refused.contains("\"code\":\"headers_too_large\""))
        let endless = try await server.exchange(
            "GET /get HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "y", count: 100_000)
        )
        #expect(endless.statuses == [431])
        await server.stop()
    }

    @Test func `trailers are bounded like everything around the data of chunks`() async throws {
        let server = try await TestServer.start()
        let trailers = (0..<2_000).map { "X-\($0): y\r\n" }.joined()
        let answer = try await server.exchange(
            "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\(trailers)\r\n" + Self.close
        )
        #expect(answer.statuses == [413])
        await server.stop()
    }

    @Test func `chunk extensions can't grow without end`() async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange(
            "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;"
                + String(repeating: "e", count: 400_000)
        )
        #expect(answer.statuses == [413])
        await server.stop()
    }

    @Test func `a head that drips is 408 at its deadline, counted from its first byte`() async throws {
        var limits = HTTPServer.Limits()
        limits.headerTimeout = .milliseconds(300)
        limits.sweepInterval = .milliseconds(20)
        let server = try await TestServer.start(limits: limits)
        let client = try await server.connect()
        let begin = ContinuousClock.now
        client.send("GET /get HTTP/1.1\r\n")
        let drip = Task {
            while !Task.isCancelled {
                client.send("X: y\r\n")
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        let answer = try await client.receiveToEnd()
        drip.cancel()
        let elapsed = ContinuousClock.now - begin
        #expect(answer.statuses == [408])
        #expect(answer.contains("\"code\":\"request_timeout\""))
        #expect(elapsed >= .milliseconds(290) && elapsed < .seconds(3), "\(elapsed)")
        await server.stop()
    }

    @Test func `an empty line behind a request is no request, and has no deadline`() async throws {
        var limits = HTTPServer.Limits()
        limits.headerTimeout = .milliseconds(100)
        limits.idleTimeout = .seconds(30)
        limits.sweepInterval = .milliseconds(20)
        let server = try await TestServer.start(limits: limits)
        let client = try await server.connect()
        let other = try await server.connect()
        client.send("GET /get HTTP/1.1\r\nHost: a\r\n\r\n\r\n")
        _ = try await client.receiveAnswers(1)
        // A head that does begin is late meanwhile.
        other.send("GET")
        #expect(try await other.receiveToEnd().statuses == [408])
        client.send("\r\nGET /get HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(try await client.receiveToEnd().statuses == [200, 200])
        await server.stop()
    }

    @Test func `a body that drips is 408 at its deadline, counted from the end of the head`() async throws {
        var limits = HTTPServer.Limits()
        limits.bodyTimeout = .milliseconds(300)
        limits.sweepInterval = .milliseconds(20)
        let server = try await TestServer.start(limits: limits)
        let client = try await server.connect()
        client.send("POST /write HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        let drip = Task {
            for _ in 0..<15 where !Task.isCancelled {
                client.send("1\r\nx\r\n")
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        let answer = try await client.receiveToEnd()
        drip.cancel()
        #expect(answer.statuses == [408])
        #expect(answer.contains("\"applied\":\"no\""))
        await server.stop()
    }

    @Test func `an idle connection is closed without a word, a busy one is not`() async throws {
        var limits = HTTPServer.Limits()
        limits.idleTimeout = .milliseconds(500)
        limits.headerTimeout = .milliseconds(500)
        limits.bodyTimeout = .milliseconds(500)
        limits.sweepInterval = .milliseconds(20)
        let server = try await TestServer.start(limits: limits)
        let busy = try await server.connect()
        busy.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        try await Poll.eventually { server.held.count == 1 }
        let fresh = try await server.connect()
        let used = try await server.connect()
        used.send("GET /get HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try await fresh.receiveToEnd() == "")
        #expect(try await used.receiveToEnd().statuses == [200])
        #expect(server.held.count == 1)
        server.held.release()
        #expect(try await busy.receiveToEnd().statuses == [200])
        await server.stop()
    }

    @Test func `a client that takes nothing of its answer is cut`() async throws {
        var limits = HTTPServer.Limits()
        limits.writeTimeout = .milliseconds(300)
        limits.sweepInterval = .milliseconds(20)
        let server = try await TestServer.start(limits: limits)
        let client = try await server.connect()
        try await client.stopReading()
        client.send(String(repeating: "GET /large HTTP/1.1\r\nHost: a\r\n\r\n", count: 64))
        try await Poll.eventually { server.metrics.connections == 1 }
        try await Poll.eventually { server.metrics.connections == 0 }
        // Far less than 64 MiB was prepared: answers stop while the client reads none.
        let answered = try #require(
            server.metric("http_requests_total{handler=\"large\",method=\"GET\",status=\"200\"}"))
        #expect(answered < 8, "\(answered)")
        #expect(server.metric("http_responses_cut_total{reason=\"write_timeout\"}") == 1)
        client.close()
        await server.stop()
    }

    @Test func `a client that reads slowly gets everything`() async throws {
        var limits = HTTPServer.Limits()
        limits.writeTimeout = .seconds(3)
        limits.sweepInterval = .milliseconds(20)
        let server = try await TestServer.start(limits: limits)
        let client = try await server.connect()
        try await client.stopReading()
        client.send(String(repeating: "GET /large HTTP/1.1\r\nHost: a\r\n\r\n", count: 20) + Self.close)
        try await Poll.eventually {
            (server.metric("http_requests_total{handler=\"large\",method=\"GET\",status=\"200\"}") ?? 0) >= 1
        }
        try await client.startReading()
        let answer = try await client.receiveToEnd(within: .seconds(20))
        #expect(answer.statuses == Array(repeating: 200, count: 21))
        await server.stop()
    }

    @Test func `a client that takes its answers more slowly than an idle connection may last gets everything`()
        async throws
    {
        var limits = HTTPServer.Limits()
        limits.idleTimeout = .milliseconds(100)
        limits.sweepInterval = .milliseconds(20)
        let server = try await TestServer.start(limits: limits)
        let client = try await server.connect()
        try await client.stopReading()
        client.send(String(repeating: "GET /large HTTP/1.1\r\nHost: a\r\n\r\n", count: 20))
        try await Poll.eventually {
            (server.metric("http_requests_total{handler=\"large\",method=\"GET\",status=\"200\"}") ?? 0) >= 1
        }
        // Until the loop has checked this connection ten times more than its idle time.
        let looks = ContinuousClock.now + .milliseconds(1_000)
        try await Poll.eventually { ContinuousClock.now > looks || server.metrics.connections == 0 }
        try await client.startReading()
        #expect(try await client.receiveToEnd(within: .seconds(20)).statuses == Array(repeating: 200, count: 20))
        await server.stop()
    }

    @Test func `connections above the limit are told so and closed, and room is given back`() async throws {
        var limits = HTTPServer.Limits()
        limits.connections = 2
        limits.rejectedConnections = 1
        let server = try await TestServer.start(limits: limits)
        let first = try await server.connect()
        let second = try await server.connect()
        for client in [first, second] {
            client.send("GET /get HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await client.receiveAnswers(1).statuses == [200])
        }
        let third = try await server.connect()
        let answer = try await third.receive { text, ended in ended || text.contains("}") }
        #expect(answer.statuses == [503])
        #expect(answer.contains("\"code\":\"too_many_connections\""))
        #expect(answer.contains("Retry-After: 1\r\n"))
        #expect(answer.contains("Connection: close\r\n"))
        third.close()
        first.close()
        try await Poll.eventually { server.server.connections == 1 }
        #expect(try await server.exchange(Self.close).statuses == [200])
        #expect(server.metric("http_connections_rejected_total{reason=\"too_many_connections\"}") == 1)
        await server.stop()
    }

    @Test func `a burst far above the connection limit never holds more than the limits say`() async throws {
        var limits = HTTPServer.Limits()
        limits.connections = 4
        limits.rejectedConnections = 3
        limits.lingerTimeout = .milliseconds(200)
        let server = try await TestServer.start(limits: limits)
        var clients: [RawClient] = []
        for _ in 0..<60 {
            clients.append(try await server.connect())
            #expect(server.server.connections <= 7)
        }
        try await Poll.eventually { server.server.connections == 4 }
        for client in clients { client.close() }
        try await Poll.eventually { server.server.connections == 0 }
        #expect(try await server.exchange(Self.close).statuses == [200])
        await server.stop()
    }
}
