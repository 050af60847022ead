import HTTP1
import HTTPServing
import NIOHTTP1
import Testing

/// Answers to a client that waits before it sends a body.
@Suite(.timeLimit(.minutes(1)))
struct ServerExpectationTests {
    static let close = "GET /get HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    @Test func `a client that waits for 100 Continue gets it, and one that doesn't gets none`() async throws {
        let server = try await TestServer.start()
        let head = "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n"
        let client = try await server.connect()
        client.send(head)
        let first = try await client.receiveAnswers(1)
        #expect(first == "HTTP/1.1 100 Continue\r\n\r\n")
        client.send("hi" + head + "ho" + Self.close)
        let all = try await client.receiveToEnd()
        #expect(all.statuses == [100, 200, 200, 200])
        await server.stop()
    }

    @Test func `a client that waits for 100 Continue with a body that its route refuses gets that answer instead`()
        async throws
    {
        let server = try await TestServer.start { _ in
            [
                Route(
                    path: "/limited", handler: "more", kind: .data(isWrite: true), access: .open, bodyLimitBytes: 100,
                    bodyRefusal: { headers, length in
                        headers.contains("x-raw") && length > 16
                            ? Problem(.payloadTooLarge, code: "value_too_large", detail: "16 at most") : nil
                    },
                    actions: [(.put, { _, responder in responder.respond(.json(.ok, [])) })])
            ]
        }
        func head(_ length: Int, _ fields: String) -> String {
            "PUT /limited HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\(fields)\r\n"
        }
        let expects = "Expect: 100-continue\r\n"
        let refused = try await server.exchange(head(17, expects + "X-Raw: 1\r\n"))
        #expect(refused.statuses == [413])
        #expect(refused.contains("\"code\":\"value_too_large\"") && refused.contains("\"applied\":\"no\""))
        #expect(refused.contains("Connection: close\r\n"))
        for (length, fields) in [(16, "X-Raw: 1\r\n"), (17, "")] {
            let client = try await server.connect()
            client.send(head(length, expects + fields))
            #expect(try await client.receiveAnswers(1) == "HTTP/1.1 100 Continue\r\n\r\n")
            client.send(String(repeating: "x", count: length) + Self.close)
            #expect(try await client.receiveToEnd().statuses == [100, 200, 200])
        }
        // A client that does not wait has sent it already: its action answers, and the connection stays open.
        let sent = try await server.exchange(head(17, "X-Raw: 1\r\n") + String(repeating: "x", count: 17) + Self.close)
        #expect(sent.statuses == [200, 200])
        await server.stop()
    }

    @Test func `an unknown expectation is refused`() async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange(
            "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: tea\r\n\r\n"
        )
        #expect(answer.statuses == [417])
        await server.stop()
    }
}
