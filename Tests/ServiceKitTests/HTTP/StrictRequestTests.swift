import HTTP1
import HTTPServing
import NIOHTTP1
import Synchronization
import SystemSupport
import Testing

/// Input that two parsers of one connection could parse differently is refused, and the connection ends.
@Suite(.timeLimit(.minutes(1)))
struct StrictRequestTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let request: String
        var status = 400
        var testDescription: String { self.name }
    }

    /// Every request is followed by one that must never be answered.
    static let smuggled = "GET /get?smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

    static let cases: [Case] = [
        Case(
            name: "Content-Length and Transfer-Encoding",
            request:
                "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Case(
            name: "Transfer-Encoding and Content-Length",
            request:
                "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        Case(
            name: "Content-Length twice, the same",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
        Case(
            name: "Content-Length twice, different",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy"),
        Case(
            name: "Content-Length as a list", request: "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx"
        ),
        Case(
            name: "Content-Length with a sign", request: "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx"
        ),
        Case(
            name: "Content-Length below zero", request: "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx"),
        Case(
            name: "Content-Length in hexadecimal",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\nx"),
        Case(name: "Content-Length of nothing", request: "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nx"),
        Case(
            name: "Content-Length with a blank inside",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1 1\r\n\r\nx"),
        Case(
            name: "Content-Length beyond 64 bits",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\nx"),
        Case(
            name: "an unknown transfer coding",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        Case(
            name: "two transfer codings",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        Case(
            name: "chunked not last",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        Case(
            name: "identity",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx"),
        Case(
            name: "Transfer-Encoding twice",
            request:
                "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        Case(
            name: "Transfer-Encoding in HTTP/1.0",
            request: "POST /body HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Case(
            name: "a blank before the colon",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        Case(name: "a tab before the colon", request: "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length\t: 1\r\n\r\nx"),
        Case(
            name: "a vertical tab before chunked",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{0B}chunked\r\n\r\n0\r\n\r\n"),
        Case(name: "a NUL in a field value", request: "GET /get HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
        Case(name: "a NUL in a field name", request: "GET /get HTTP/1.1\r\nHost: a\r\nX\0Y: b\r\n\r\n"),
        Case(
            name: "a control character in a field value", request: "GET /get HTTP/1.1\r\nHost: a\r\nX: a\u{01}b\r\n\r\n"
        ),
        Case(name: "a field without a name", request: "GET /get HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"),
        Case(name: "a field without a colon", request: "GET /get HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
        Case(name: "a field of one word without a colon", request: "GET /get HTTP/1.1\r\nHost: a\r\nword\r\n\r\n"),
        Case(name: "a first field without a colon", request: "GET /get HTTP/1.1\r\nword\r\nHost: a\r\n\r\n"),
        Case(
            name: "a Transfer-Encoding without a colon",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\r\n\r\n"),
        Case(name: "a colon alone", request: "GET /get HTTP/1.1\r\nHost: a\r\n:\r\n\r\n"),
        Case(name: "a field name with a blank", request: "GET /get HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n"),
        Case(name: "a field continued on the next line", request: "GET /get HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
        Case(
            name: "a field continued by a tab",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n"),
        Case(name: "a first field that begins with a blank", request: "GET /get HTTP/1.1\r\n Host: a\r\n\r\n"),
        Case(name: "a line feed alone after the request line", request: "GET /get HTTP/1.1\nHost: a\r\n\r\n"),
        Case(name: "a line feed alone after a field", request: "GET /get HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
        Case(name: "a line feed alone at the end", request: "GET /get HTTP/1.1\r\nHost: a\r\n\n"),
        Case(name: "line feeds only", request: "GET /get HTTP/1.1\nHost: a\n\n"),
        Case(name: "a carriage return alone between fields", request: "GET /get HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"),
        Case(name: "a carriage return alone at the end", request: "GET /get HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n"),
        Case(name: "two carriage returns", request: "GET /get HTTP/1.1\r\nHost: a\r\r\n\r\n"),
        Case(
            name: "HTTP/0.9 with fields after a line feed",
            request: "GET /get\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
        Case(
            name: "HTTP/0.9 with fields after a carriage return and line feed",
            request: "GET /get\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
        Case(name: "HTTP/0.9", request: "GET /get\r\n\r\n"),
        Case(name: "no Host", request: "GET /get HTTP/1.1\r\n\r\n"),
        Case(name: "Host twice", request: "GET /get HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        Case(name: "an empty Host twice", request: "GET /get HTTP/1.1\r\nHost:\r\nHost:\r\n\r\n"),
        Case(name: "an empty Host and another", request: "GET /get HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n"),
        Case(name: "a Host with a path", request: "GET /get HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        Case(name: "a Host with a user", request: "GET /get HTTP/1.1\r\nHost: u@a\r\n\r\n"),
        Case(name: "a Host with a fragment", request: "GET /get HTTP/1.1\r\nHost: a#b\r\n\r\n"),
        Case(name: "a Host with a caret", request: "GET /get HTTP/1.1\r\nHost: a^b\r\n\r\n"),
        Case(name: "a Host with a backtick", request: "GET /get HTTP/1.1\r\nHost: a`b\r\n\r\n"),
        Case(name: "a Host with a bar", request: "GET /get HTTP/1.1\r\nHost: a|b\r\n\r\n"),
        Case(
            name: "Expect twice",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n"
                + "Expect: 100-continue\r\n\r\nx",
            status: 417),
        Case(name: "a list of hosts", request: "GET /get HTTP/1.1\r\nHost: a, b\r\n\r\n"),
        Case(name: "two blanks in the request line", request: "GET  /get HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(name: "a tab in the request line", request: "GET\t/get HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(name: "a blank behind the version", request: "GET /get HTTP/1.1 \r\nHost: a\r\n\r\n"),
        Case(name: "a blank before the method", request: " GET /get HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(name: "a blank in the target", request: "GET /get a HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(name: "a target that is not ASCII", request: "GET /get?key=é HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(name: "a fragment", request: "GET /get#f HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(name: "a relative target", request: "GET get HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(name: "an absolute form of another scheme", request: "GET ftp://a/get HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(name: "an absolute form without a host", request: "GET http:///get HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(name: "an absolute form with a user", request: "GET http://u@a/get HTTP/1.1\r\nHost: a\r\n\r\n"),
        Case(name: "a lower-case protocol", request: "GET /get http/1.1\r\nHost: a\r\n\r\n"),
        Case(name: "another protocol", request: "GET /get RTSP/1.0\r\nHost: a\r\n\r\n"),
        Case(name: "a version with more digits", request: "GET /get HTTP/1.10\r\nHost: a\r\n\r\n"),
        Case(name: "a TLS hello", request: "\u{16}\u{03}\u{01}\u{02}\0\u{01}\0\u{01}"),
        Case(name: "the preface of HTTP/2", request: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 505),
        Case(name: "HTTP/2.0 in a request line", request: "GET /get HTTP/2.0\r\nHost: a\r\n\r\n", status: 505),
        Case(name: "HTTP/1.2", request: "GET /get HTTP/1.2\r\nHost: a\r\n\r\n", status: 505),
        Case(name: "CONNECT", request: "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", status: 501),
        Case(name: "an unknown method", request: "BREW /get HTTP/1.1\r\nHost: a\r\n\r\n", status: 501),
        Case(name: "a lower-case method", request: "get /get HTTP/1.1\r\nHost: a\r\n\r\n", status: 501),
        Case(
            name: "a chunk size with a sign",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n"),
        Case(
            name: "a chunk size with a prefix",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n"),
        Case(
            name: "a chunk size beyond 64 bits",
            request:
                "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx\r\n0\r\n\r\n"
        ),
        Case(
            name: "a chunk size of nothing",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\nx\r\n0\r\n\r\n"),
        Case(
            name: "a chunk size with a blank before it",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 1\r\nx\r\n0\r\n\r\n"),
        Case(
            name: "a chunk size with a blank behind it",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n"),
        Case(
            name: "a line feed alone after a chunk size",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n"),
        Case(
            name: "a line feed alone after a chunk",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n"),
        Case(
            name: "a line feed alone after the last chunk",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\n\r\n"),
        Case(
            name: "a carriage return alone after a chunk size",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\rx\r\n0\r\n\r\n"),
        Case(
            name: "a chunk longer than it says",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n"),
        Case(
            name: "a line feed in a chunk extension",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\nx\r\n0\r\n\r\n"),
        Case(
            name: "a trailer continued on the next line",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n b\r\n\r\n"),
        Case(
            name: "a trailer without a colon",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n"),
        Case(
            name: "a trailer without a name",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n: a\r\n\r\n"),
        Case(
            name: "a trailer with a blank before its colon",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX : a\r\n\r\n"),
        Case(
            name: "a trailer ended by a line feed",
            request: "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a\n\r\n"),
    ]

    @Test("refused:", arguments: cases)
    func refused(_ example: Case) async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange(example.request + Self.smuggled)
        #expect(answer.statuses == [example.status], "\(answer)")
        #expect(answer.contains("Connection: close\r\n"))
        #expect(answer.contains("Content-Type: application/problem+json\r\n"))
        #expect(!answer.contains("smuggled"))
        await server.stop()
    }

    @Test(arguments: [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "Content-Length: x\r\n\r\n", "Expect: nothing\r\n\r\n", "Bad Name: x\r\n\r\n", "Host: b\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nz",
    ])
    func `a write that is refused for its form says that nothing was written`(fields: String) async throws {
        let server = try await TestServer.start()
        let write = try await server.exchange("POST /write HTTP/1.1\r\nHost: a\r\n" + fields)
        #expect(write.statuses.count == 1 && write.statuses != [200])
        #expect(write.contains("\"applied\":\"no\""), "\(write)")
        let other = try await server.exchange("POST /get HTTP/1.1\r\nHost: a\r\n" + fields)
        #expect(!other.contains("\"applied\""), "\(other)")
        await server.stop()
    }

    @Test(arguments: [
        "If-Match: \"1\"", "if-none-match: *", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
        "IF-UNMODIFIED-SINCE: Thu, 01 Jan 1970 00:00:00 GMT", "Range: bytes=0-1", "Content-Range: bytes 0-1/2",
        "If-Range: \"1\"", "If-Match:",
    ])
    func `a condition on a write is refused, and on a read left out`(field: String) async throws {
        let server = try await TestServer.start()
        let write = "POST /write HTTP/1.1\r\nHost: a\r\n\(field)\r\nContent-Length: 1\r\n\r\nx"
        let answer = try await server.exchange(
            write + "GET /get HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(field)\r\n\r\n")
        #expect(answer.statuses == [400, 200], "\(answer)")
        #expect(answer.contains("\"code\":\"precondition_not_supported\""), "\(answer)")
        #expect(answer.contains("\"applied\":\"no\""), "\(answer)")
        await server.stop()
    }

    @Test(arguments: [
        ("If-Match: \"1\"", 200), ("If-None-Match: *", 200), ("If-Match:", 200),
        ("If-Match: *\r\nIf-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", 400), ("Range: bytes=0-1", 400),
        ("If-Range: \"1\"", 400), ("Content-Range: bytes 0-1/2", 400),
        ("If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT", 400),
    ])
    func `a write whose route takes preconditions gets those by entity tag, and no others`(
        field: String, status: Int
    ) async throws {
        let server = try await TestServer.start { _ in
            [
                Route(
                    path: "/more", handler: "more", kind: .data(isWrite: true), access: .open, takesPreconditions: true,
                    actions: [(.post, { _, responder in responder.respond(.json(.ok, [])) })])
            ]
        }
        let answer = try await server.exchange(
            "POST /more HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(field)\r\n\r\n")
        #expect(answer.statuses == [status], "\(answer)")
        #expect(answer.contains("\"code\":\"precondition_not_supported\"") == (status == 400), "\(answer)")
        await server.stop()
    }

    @Test(arguments: [
        "", "x", "-1", "+1", "1.5", "1 2", "12345678901", "0x1", "1, 2", "5\r\nX-Request-Timeout-Ms: 5",
    ])
    func `a time-out that is not one is refused on a write`(value: String) async throws {
        let server = try await TestServer.start()
        let fields = "Host: a\r\nX-Request-Timeout-Ms: \(value)\r\nConnection: close\r\n"
        let write = try await server.exchange("POST /write HTTP/1.1\r\n\(fields)Content-Length: 1\r\n\r\nx")
        #expect(write.statuses == [400], "\(write)")
        #expect(write.contains("\"code\":\"bad_timeout\"") && write.contains("\"applied\":\"no\""), "\(write)")
        let read = try await server.exchange("GET /get HTTP/1.1\r\n\(fields)\r\n")
        #expect(read.statuses == [200], "\(read)")
        await server.stop()
    }

    @Test func `a deadline counts from when the request came, and a request without a time-out has none`() async throws
    {
        let deadlines = Deadlines()
        let server = try await TestServer.start { _ in
            [
                Route(
                    path: "/more", handler: "more", kind: .data(isWrite: true), access: .open,
                    actions: [
                        (
                            .post,
                            { request, responder in
                                deadlines.note(request.deadlineNanoseconds)
                                responder.respond(.json(.ok, []))
                            }
                        )
                    ])
            ]
        }
        let before = MonotonicClock.nanoseconds()
        let client = try await server.connect()
        client.send("POST /more HTTP/1.1\r\nHost: a\r\nX-Request-Timeout-Ms: 60000\r\n\r\n")
        _ = try await client.receiveAnswers(1)
        let after = MonotonicClock.nanoseconds()
        let deadline = try #require(deadlines.all.first ?? nil)
        #expect(deadline <= after + 60_000_000_000)
        // The socket counts in ticks of the kernel of at most 10 ms.
        #expect(deadline + 20_000_000 >= before + 60_000_000_000)
        client.send("POST /more HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try await client.receiveAnswers(2)
        #expect(deadlines.all.last == .some(nil))
        client.close()
        await server.stop()
    }
}

/// What requests had as their deadline.
private final class Deadlines: Sendable {
    private let noted = Mutex<[UInt64?]>([])

    var all: [UInt64?] { self.noted.withLock { $0 } }

    func note(_ deadline: UInt64?) { self.noted.withLock { $0.append(deadline) } }
}
