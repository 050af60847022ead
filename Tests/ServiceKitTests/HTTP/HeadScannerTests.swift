import Testing

@testable import HTTP1

/// Where heads end, whatever packets they come in.
@Suite(.timeLimit(.minutes(1)))
struct HeadScannerTests {
    static let head = "GET /get?key=a HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nAccept: */*\r\n\r\n"

    /// Feeds the bytes in pieces of the given sizes, as a connection would; what follows the head is not looked at.
    static func verdict(
        _ text: String,
        cuts: [Int],
        limits: HeadScanner.Limits = HeadScanner.Limits()
    ) -> HeadScanner.Verdict {
        var scanner = HeadScanner(limits: limits)
        let bytes = Array(text.utf8)
        for cut in cuts + [bytes.count] {
            let part = Array(bytes[..<cut])
            let verdict = scanner.scan(part.span)
            if verdict != .incomplete { return verdict }
        }
        return .incomplete
    }

    @Test func `the end is found wherever the head is cut`() {
        let length = Self.head.utf8.count
        for first in 0...length {
            #expect(Self.verdict(Self.head + "more", cuts: [first]) == .complete(length: length))
            for second in first...length {
                #expect(Self.verdict(Self.head, cuts: [first, second]) == .complete(length: length))
            }
        }
        #expect(Self.verdict(Self.head, cuts: Array(0..<length)) == .complete(length: length))
    }

    @Test func `a head that is not whole is never complete`() {
        for length in 0..<Self.head.utf8.count {
            let part = String(decoding: Array(Self.head.utf8).prefix(length), as: UTF8.self)
            #expect(Self.verdict(part, cuts: []) == .incomplete)
        }
    }

    @Test func `empty lines before a head belong to it`() {
        #expect(Self.verdict("\r\n\r\n" + Self.head, cuts: [1, 2, 3]) == .complete(length: Self.head.utf8.count + 4))
    }

    @Test func `a head of a request without fields ends at its empty line`() {
        #expect(Self.verdict("GET / HTTP/1.0\r\n\r\n", cuts: []) == .complete(length: 18))
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\n", HeadScanner.Refusal.bareLineFeed),
        ("GET / HTTP/1.1\r\nA: b\n", .bareLineFeed),
        ("\nGET", .bareLineFeed),
        ("GET / HTTP/1.1\r\nA: b\rC", .bareCarriageReturn),
        ("GET / HTTP/1.1\r\r\n", .bareCarriageReturn),
        ("\rGET", .bareCarriageReturn),
        ("GET / HTTP/1.1\r\nA\0", .nulByte),
        ("GET / HTTP/1.1\r\n A: b", .foldedField),
        ("GET / HTTP/1.1\r\nA: b\r\n\tc", .foldedField),
        ("GET /\r\n", .requestLine),
        ("GET  / HTTP/1.1\r\n", .requestLine),
        ("GET / HTTP/1.1 \r\n", .requestLine),
        (" GET", .requestLine),
        ("GET / http/1.1\r\n", .requestLine),
        ("GET / HTTP/11\r\n", .requestLine),
        ("GET / HTTP/1\r\n", .requestLine),
        ("GET / HTTP/1.11\r\n", .requestLine),
        ("G@T / HTTP/1.1\r\n", .requestLine),
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", .requestLine),
        ("GET /\u{7F} HTTP/1.1\r\n", .requestLine),
        ("GET /é HTTP/1.1\r\n", .requestLine),
        ("GET / HTTP/2.0\r\n", .version),
        ("GET / HTTP/0.9\r\n", .version),
        ("GET / HTTP/1.2\r\n", .version),
        ("GETS / HTTP/1.1\r\n", .method),
        ("XGET / HTTP/1.1\r\n", .method),
        ("PROPFIND / HTTP/1.1\r\n", .method),
        ("get / HTTP/1.1\r\n", .method),
    ])
    func `what no strict server takes is refused, wherever it is cut`(text: String, refusal: HeadScanner.Refusal) {
        for cut in 0...text.utf8.count {
            #expect(Self.verdict(text, cuts: [cut]) == .refused(refusal))
        }
    }

    @Test(arguments: ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
    func `every method that routes may have is known`(method: String) {
        #expect(Self.verdict("\(method) / HTTP/1.1\r\n\r\n", cuts: []) == .complete(length: method.utf8.count + 15))
    }

    @Test func `sizes are refused as soon as they are beyond the limits`() {
        var limits = HeadScanner.Limits()
        limits.targetBytes = 10
        limits.fieldBytes = 20
        limits.fieldCount = 2
        func verdict(_ text: String) -> HeadScanner.Verdict { Self.verdict(text, cuts: [], limits: limits) }
        #expect(verdict("GET /123456789 HTTP/1.1\r\n\r\n") == .complete(length: 27))
        #expect(verdict("GET /1234567890") == .refused(.targetTooLong))
        #expect(verdict("GET / HTTP/1.1\r\nA: 456789\r\nB: 3456\r\n\r\n") == .complete(length: 38))
        #expect(verdict("GET / HTTP/1.1\r\nA: 4567890123456789012") == .refused(.fieldsTooLarge))
        #expect(verdict("GET / HTTP/1.1\r\nA: 456789\r\nB: 34567\r\n\r\n") == .refused(.fieldsTooLarge))
        #expect(verdict("GET / HTTP/1.1\r\nA: b\r\nC: d\r\nE") == .refused(.tooManyFields))
        #expect(verdict(String(repeating: "\r\n", count: 60)) == .refused(.fieldsTooLarge))
    }

    @Test func `a scanner that was reset knows nothing of the head before`() {
        var scanner = HeadScanner(limits: HeadScanner.Limits())
        let bytes = Array(Self.head.utf8)
        for _ in 0..<3 {
            let verdict = scanner.scan(bytes.span)
            #expect(verdict == .complete(length: bytes.count))
            scanner.reset()
        }
    }

    @Test func `the parts of a complete head are where the scanner says`() {
        for emptyLines in ["", "\r\n", "\r\n\r\n"] {
            let bytes = Array((emptyLines + Self.head).utf8)
            var scanner = HeadScanner(limits: HeadScanner.Limits())
            let verdict = scanner.scan(bytes.span)
            #expect(verdict == .complete(length: bytes.count))
            #expect(scanner.line.method == .get)
            #expect(scanner.line.isHTTP11)
            #expect(String(decoding: bytes[scanner.target], as: UTF8.self) == "/get?key=a")
            #expect(
                String(decoding: bytes[scanner.fieldLines], as: UTF8.self) == "Host: a\r\nX-Empty:\r\nAccept: */*\r\n")
        }
    }
}
