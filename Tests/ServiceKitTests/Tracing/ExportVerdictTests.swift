import NIOEmbedded
import NIOHTTP1
import Testing

@testable import HTTPClient
@testable import NIOCore
@testable import SystemSupport
@testable import TraceExport

@Suite(.timeLimit(.minutes(1)))
struct ExportVerdictTests {
    /// What is read of an answer that comes in pieces, before the peer closes.
    static func answer(_ text: String, pieces: Int = 1) throws -> ReceivedAnswer {
        let channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let promise = channel.eventLoop.makePromise(of: ReceivedAnswer.self)
        promise.futureResult.whenFailure { Issue.record($0) }
        let collector = AnswerCollector(answerLimitBytes: 65_536, promise: promise)
        try collector.start(HTTPRequestHead(version: .http1_1, method: .GET, uri: "/"), ByteBuffer(), on: channel)
        let bytes = Array(text.utf8)
        let size = max(1, bytes.count / pieces)
        for begin in stride(from: 0, to: bytes.count, by: size) {
            channel.pipeline.fireChannelRead(ByteBuffer(bytes: bytes[begin..<min(begin + size, bytes.count)]))
        }
        let answer = collector.answer
        _ = try channel.finish(acceptAlreadyClosed: true)
        return answer
    }

    static func verdict(_ status: String, _ fields: String = "", _ body: String = "") throws -> ExportVerdict {
        ExportVerdict(
            try Self.answer("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)")
        )
    }

    @Test func `four statuses are tried again, all others from 300 on are not`() throws {
        for status in 200...599 {
            switch try Self.verdict("\(status) x") {
            case .taken: #expect(status < 300)
            case .tryAgain(let reason, let after):
                #expect([429, 502, 503, 504].contains(status) && reason == "status \(status)" && after == nil)
            case .refused: #expect(status >= 300 && ![429, 502, 503, 504].contains(status))
            }
        }
        #expect(ExportVerdict(ReceivedAnswer()) == .tryAgain(reason: "the answer is not HTTP/1", afterSeconds: nil))
        #expect(try Self.verdict("x") == .tryAgain(reason: "the answer is not HTTP/1", afterSeconds: nil))
    }

    @Test func `a pause is taken in seconds, and a date is none`() throws {
        for (value, seconds) in [("30", 30), (" 0", 0), ("-1", nil), ("Fri, 31 Dec 1999 23:59:59 GMT", nil)]
            as [(String, Int?)]
        {
            #expect(
                try Self.verdict("503 x", "retry-after:\(value)\r\n")
                    == .tryAgain(reason: "status 503", afterSeconds: seconds))
        }
    }

    @Test(arguments: [
        ("", 0, ""), ("{}", 0, ""), (#"{"partialSuccess":{}}"#, 0, ""), ("nonsense", 0, ""),
        (#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#, 3, "no"),
        (#"{"other":[1],"partialSuccess":{"rejectedSpans":4}}"#, 4, ""),
        (#"{"partialSuccess":{"rejectedSpans":"-3"}}"#, 0, ""), (#"{"partialSuccess":{"rejectedSpans":"x"}"#, 0, ""),
    ])
    func `what is rejected of an accepted batch is read`(body: String, rejected: Int, reason: String) throws {
        #expect(try Self.verdict("200 OK", "", body) == .taken(rejected: rejected, reason: reason))
    }

    @Test(arguments: [1, 3, 1_000])
    func `an answer may come in pieces, chunked, or up to the end of the connection`(pieces: Int) throws {
        let fixed = try Self.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}more", pieces: pieces)
        #expect(fixed.isComplete && fixed.body == Array("{}".utf8))
        let chunked = try Self.answer(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", pieces: pieces)
        #expect(chunked.isComplete && chunked.body == Array("{}".utf8))
        let cut = try Self.answer(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n", pieces: pieces)
        #expect(!cut.isComplete && cut.body == Array("{".utf8))
        let open = try Self.answer("HTTP/1.1 200 OK\r\n\r\n{}", pieces: pieces)
        #expect(!open.isComplete && open.body == Array("{}".utf8) && open.status == 200)
    }
}
