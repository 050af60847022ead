import HTTP1
import HTTPServing
import NIOCore
import NIOHTTP1
import ServiceSettings
import Telemetry
import TestSupport
import Testing

/// What a client sees of the server, over a real connection.
@Suite(.timeLimit(.minutes(1)))
struct ServerTests {
    static let close = "GET /get?last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    @Test func `an answer has the fields that every answer has`() async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange(Self.close)
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.hasSuffix("\r\n\r\ngot last"))
        for field in [
            "Content-Type: application/json", "Content-Length: 8", "X-Content-Type-Options: nosniff",
            "Cache-Control: no-store", "Connection: close",
        ] {
            #expect(answer.contains("\r\n\(field)\r\n"), "\(field)")
        }
        let lines = answer.split(separator: "\r\n")
        let date = try #require(lines.first { $0.hasPrefix("Date: ") })
        #expect(date.wholeMatch(of: /Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/) != nil)
        let id = try #require(lines.first { $0.hasPrefix("X-Request-Id: ") })
        #expect(id.wholeMatch(of: /X-Request-Id: [0-9a-z]{13}/) != nil)
        await server.stop()
    }

    @Test func `an action's own Cache-Control replaces the server's`() async throws {
        let server = try await TestServer.start { _ in
            [
                Route(
                    path: "/cached",
                    handler: "more",
                    kind: .data(isWrite: false), access: .open,
                    actions: [
                        (
                            .get,
                            { _, responder in
                                responder.respond(.json(.ok, [], headers: [("cache-control", "no-cache")]))
                            }
                        )
                    ]
                )
            ]
        }
        let answer = try await server.exchange("GET /cached HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(answer.contains("cache-control: no-cache\r\n"))
        #expect(!answer.contains("no-store"))
        await server.stop()
    }

    @Test func `pipelined requests are answered in order with one connection`() async throws {
        let server = try await TestServer.start()
        let requests = (0..<500).map { "GET /get?\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined() + Self.close
        let answer = try await server.exchange(requests)
        let bodies = answer.matches(of: /got (\d+|last)/).map { String($0.output.1) }
        #expect(bodies == (0..<500).map(String.init) + ["last"])
        #expect(server.metric("http_connections_accepted_total") == 1)
        await server.stop()
    }

    @Test func `a request that is answered later holds up those behind it, and only those`() async throws {
        let server = try await TestServer.start()
        let client = try await server.connect()
        client.send(
            "GET /get?1 HTTP/1.1\r\nHost: a\r\n\r\nGET /held HTTP/1.1\r\nHost: a\r\n\r\n"
                + "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + Self.close
        )
        let early = try await client.receiveAnswers(1)
        #expect(early.contains("got 1"))
        try await Poll.eventually { server.held.count == 1 }
        #expect(try await server.exchange(Self.close).contains("got last"))
        server.held.release()
        let all = try await client.receiveToEnd()
        #expect(all.statuses == [200, 200, 200, 200])
        let order = ["got 1", "held", "hello", "got last"].map { all.firstRange(of: $0)?.lowerBound }
        #expect(order.allSatisfy { $0 != nil })
        #expect(order.compactMap { $0 }.sorted() == order.compactMap { $0 })
        await server.stop()
    }

    @Test func `a head cut into single bytes is read like a whole one`() async throws {
        let server = try await TestServer.start()
        let client = try await server.connect()
        for byte in "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".utf8 {
            client.send([byte])
        }
        client.send(Self.close)
        let answer = try await client.receiveToEnd()
        #expect(answer.statuses == [200, 200])
        #expect(answer.contains("\r\n\r\nabcHTTP/1.1"))
        await server.stop()
    }

    @Test(arguments: [
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;extension=\"x\"\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!"),
        ("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"),
        ("0\r\n\r\n", ""),
        ("1\r\nx\r\n0\r\nX-Trailer: a\r\n\r\n", "x"),
        ("00005\r\nhello\r\n000\r\n\r\n", "hello"),
    ])
    func `a chunked body is put together`(chunks: String, body: String) async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange(
            "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n\(chunks)" + Self.close
        )
        #expect(answer.statuses == [200, 200])
        #expect(answer.contains("Content-Length: \(body.utf8.count)\r\n"))
        #expect(answer.contains("\r\n\r\n\(body)HTTP/1.1 200"))
        await server.stop()
    }

    @Test func `each chunked body of a connection is read from its beginning`() async throws {
        let server = try await TestServer.start()
        let head = "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        let answer = try await server.exchange(
            head + "3\r\none\r\n0\r\nX: y\r\n\r\n" + head + "3\r\ntwo\r\n0\r\n\r\n" + Self.close
        )
        #expect(answer.statuses == [200, 200, 200])
        #expect(answer.contains("\r\n\r\noneHTTP") && answer.contains("\r\n\r\ntwoHTTP"))
        await server.stop()
    }

    @Test func `an id or a trace that is said twice is not taken`() async throws {
        let server = try await TestServer.start()
        let traces = ["0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c"]
        let fields = traces.map { "traceparent: 00-\($0)-b7ad6b7169203331-01\r\n" }.joined()
        let answer = try await server.exchange(
            "GET /get HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-one\r\nX-Request-Id: id-two\r\n\(fields)"
                + "Connection: close\r\n\r\n"
        )
        #expect(answer.statuses == [200])
        #expect(!answer.contains("id-one") && !answer.contains("id-two"))
        let lines = try await server.stopAndReadLog()
        #expect(lines.count == 1)
        for text in ["id-one", "id-two"] + traces { #expect(!lines.joined().contains(text), "\(text)") }
    }

    @Test(arguments: [
        ("GET /get HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", true),
        ("GET /get HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n\r\n", true),
        ("GET /get HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", true),
        ("GET /get HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n", true),
        ("GET /get HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", false),
        ("GET /get HTTP/1.0\r\n\r\n", true),
        ("GET /get HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", false),
        ("GET /get HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", false),
        ("GET /get HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", false),
    ])
    func `a connection is kept as its client asks`(request: String, closes: Bool) async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange(request + Self.close)
        #expect(answer.statuses == (closes ? [200] : [200, 200]))
        if !closes, request.contains("HTTP/1.0") {
            #expect(answer.contains("Connection: keep-alive\r\n"))
        }
        await server.stop()
    }

    @Test(arguments: [
        "GET http://other:80/get?x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET HTTP://other/get?x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "\r\n\r\nGET /get?x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /get?x HTTP/1.1\r\nhOST:\t a:80 \t\r\nConnection: close\r\n\r\n",
        "GET /get?x HTTP/1.1\r\nHost: [::1]:8080\r\nConnection: close\r\n\r\n",
        "GET /get?x HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
        "GET /get?x HTTP/1.1\r\nHost: \t\r\nConnection: close\r\n\r\n",
    ])
    func `unusual requests that mean one thing are taken`(request: String) async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange(request)
        #expect(answer.statuses == [200])
        #expect(answer.hasSuffix("got x"))
        await server.stop()
    }

    @Test(arguments: [("GET", "", 200, "-"), ("GET", "?x", 200, "x"), ("OPTIONS", "", 204, nil), ("PUT", "", 405, nil)])
    func `an absolute target without a path means the root`(
        method: String, query: String, status: Int, taken: String?
    ) async throws {
        let server = try await TestServer.start { _ in
            let answer: Route.Action = { $1.respond(.json(.ok, Array("root \($0.query ?? "-") \($0.path)".utf8))) }
            return [
                Route(path: "/", handler: "more", kind: .data(isWrite: false), access: .open, actions: [(.get, answer)])
            ]
        }
        let answer = try await server.exchange(
            "\(method) http://other:80\(query) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(answer.statuses == [status])
        if let taken { #expect(answer.hasSuffix("root \(taken) /")) }
        await server.stop()
    }

    @Test func `HEAD has the fields of GET and no body`() async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange(
            "HEAD /get?x HTTP/1.1\r\nHost: a\r\n\r\nHEAD /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        #expect(answer.statuses == [200, 404])
        #expect(answer.contains("Content-Length: 5\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n"))
        #expect(!answer.contains("got x"))
        await server.stop()
    }

    @Test(arguments: [
        ("OPTIONS /body", 204, "POST, OPTIONS"),
        ("OPTIONS /get", 204, "GET, HEAD, OPTIONS"),
        ("OPTIONS *", 204, "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
        ("DELETE /get", 405, "GET, HEAD, OPTIONS"),
        ("PATCH /body", 405, "POST, OPTIONS"),
        ("TRACE /body", 405, "POST, OPTIONS"),
    ])
    func `OPTIONS and wrong methods name what a path takes`(line: String, status: Int, allow: String) async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange("\(line) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(answer.statuses == [status])
        #expect(answer.contains("\r\nAllow: \(allow)\r\n"))
        #expect(answer.contains("Content-Length:") == (status != 204))
        await server.stop()
    }

    @Test func `an unknown route is told from everything else`() async throws {
        let server = try await TestServer.start()
        for path in ["/", "/none", "/get/", "//get", "/get%3Fx", "/GET", "/%67et"] {
            for method in ["GET", "OPTIONS"] {
                let answer = try await server.exchange(
                    "\(method) \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                )
                #expect(answer.statuses == [404], "\(method) \(path)")
                #expect(answer.contains("\"code\":\"route_not_found\""))
            }
        }
        await server.stop()
    }

    @Test func `a refused request's small body is read and the connection goes on`() async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange(
            "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                + "POST /none HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                + Self.close
        )
        #expect(answer.statuses == [404, 404, 200])
        await server.stop()
    }

    @Test(arguments: [
        "Content-Length: 65537\r\n\r\n", "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
    ])
    func `a refused request's body that is large, or not sent yet, is not waited for`(fields: String) async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange("POST /none HTTP/1.1\r\nHost: a\r\n" + fields)
        #expect(answer.statuses == [404])
        #expect(answer.contains("Connection: close\r\n"))
        await server.stop()
    }

    @Test func `a refused request's chunked body is read up to a limit`() async throws {
        let server = try await TestServer.start()
        let head = "POST /none HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        let chunk = "8000\r\n\(String(repeating: "x", count: 0x8000))\r\n"
        let taken = try await server.exchange(head + chunk + chunk + "0\r\n\r\n" + Self.close)
        #expect(taken.statuses == [404, 200])
        let refused = try await server.exchange(head + chunk + chunk + "1\r\nx\r\n")
        #expect(refused.statuses == [413])
        #expect(refused.contains("Connection: close\r\n"))
        await server.stop()
    }

    @Test(arguments: [
        "POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\n",
        "POST /write HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n1\r\nx\r\n",
        "POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999\r\nExpect: 100-continue\r\n\r\n",
    ])
    func `a body beyond its route's limit is refused before it is read`(request: String) async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange(request)
        #expect(answer.statuses == [413])
        #expect(answer.contains("\"code\":\"body_too_large\""))
        #expect(answer.contains("\"applied\":\"no\""))
        #expect(answer.contains("Connection: close\r\n"))
        await server.stop()
    }

    @Test func `a body as large as its route's limit is taken`() async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange(
            "POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\nConnection: close\r\n\r\n0123456789abcdef"
        )
        #expect(answer.statuses == [200])
        await server.stop()
    }

    @Test func `a client that closes its half still gets its answers`() async throws {
        let server = try await TestServer.start()
        let client = try await server.connect()
        client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\nGET /get?2 HTTP/1.1\r\nHost: a\r\n\r\n")
        client.endSending()
        try await Poll.eventually { server.held.count == 1 }
        server.held.release()
        let answer = try await client.receiveToEnd()
        #expect(answer.statuses == [200, 200])
        #expect(answer.contains("got 2"))
        await server.stop()
    }

    @Test func `a client that closes its half gets its answers whole, however much of them waits for the socket`()
        async throws
    {
        let server = try await TestServer.start()
        let client = try await server.connect()
        try await client.stopReading()
        client.send(String(repeating: "GET /large HTTP/1.1\r\nHost: a\r\n\r\n", count: 24))
        client.endSending()
        try await Poll.eventually {
            (server.metric("http_requests_total{handler=\"large\",method=\"GET\",status=\"200\"}") ?? 0) >= 1
        }
        try await client.startReading()
        let answers = try await client.receiveToEnd(within: .seconds(20))
        #expect(answers.statuses == Array(repeating: 200, count: 24))
        #expect(answers.utf8.count > 24 << 20)
        await server.stop()
    }

    @Test func `a client that closes its half within a request is closed without a word`() async throws {
        let server = try await TestServer.start()
        for part in ["", "GET /ge", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"] {
            let client = try await server.connect()
            client.send(part)
            client.endSending()
            #expect(try await client.receiveToEnd() == "")
        }
        await server.stop()
    }

    @Test func `an answer to a client that has gone is counted all the same`() async throws {
        let server = try await TestServer.start()
        let client = try await server.connect()
        client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        try await Poll.eventually { server.held.count == 1 }
        client.close()
        server.held.release()
        try await Poll.eventually { server.metrics.connections == 0 }
        #expect(server.metric("http_requests_total{handler=\"held\",method=\"GET\",status=\"200\"}") == 1)
        #expect(server.metrics.requestsInFlight == 0)
        await server.stop()
    }

    @Test func `a responder that is dropped answers 500`() async throws {
        let server = try await TestServer.start { _ in
            [
                Route(
                    path: "/lost", handler: "more", kind: .data(isWrite: false), access: .open,
                    actions: [(.get, { _, _ in })])
            ]
        }
        let answer = try await server.exchange("GET /lost HTTP/1.1\r\nHost: a\r\n\r\n" + Self.close)
        #expect(answer.statuses == [500, 200])
        #expect(answer.contains("\"code\":\"internal_error\""))
        await server.stop()
    }

    @Test func `a large answer arrives whole, also before a close`() async throws {
        let server = try await TestServer.start()
        let client = try await server.connect()
        client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\nGET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let answer = try await client.receiveToEnd()
        #expect(answer.statuses == [200, 200])
        #expect(answer.utf8.count { $0 == UInt8(ascii: "x") } >= 2 << 20)
        await server.stop()
    }

    @Test func `addresses that can't be bound are reported`() async throws {
        let first = try await TestServer.start()
        let second = HTTPServer(
            group: TestServer.group,
            address: ListenAddress(host: "127.0.0.1", port: UInt16(first.port)),
            observer: first.telemetry,
            admission: { _ in nil },
            access: nil
        ) { _ in [] }
        await #expect {
            _ = try await second.start()
        } throws: { error in
            "\(error)".hasPrefix("cannot listen on 127.0.0.1:\(first.port): ") && "\(error)".contains("in use")
        }
        await first.stop()
    }
}
