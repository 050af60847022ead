import JSON
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOPosix
import Testing

@testable import HTTPClient
@testable import SystemSupport
@testable import TraceExport

@Suite struct ExportVerdictTests {
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
        #expect(ExportVerdict(ReceivedAnswer()) == .tryAgain(reason: "no answer of HTTP/1", afterSeconds: nil))
        #expect(try Self.verdict("x") == .tryAgain(reason: "no answer of HTTP/1", afterSeconds: nil))
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

@Suite struct HTTPExchangeTests {
    private static let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()

    private static func head(_ target: String) -> HTTPRequestHead {
        HTTPRequestHead(version: .http1_1, method: .GET, uri: target, headers: ["Host": "a"])
    }

    private static func run(port: UInt16, milliseconds: UInt64, limit: Int = 65_536) -> (String, Duration) {
        let exchange = HTTPExchange(
            host: "127.0.0.1",
            port: port,
            deadlineNanoseconds: Timestamp.monotonicNanoseconds() + milliseconds * 1_000_000,
            answerLimitBytes: limit
        )
        let began = ContinuousClock.now
        switch exchange.result(Self.head("/get"), on: Self.loop) {
        case .success(let answer): return ("\(answer.status ?? 0)", ContinuousClock.now - began)
        case .failure(let error):
            return ("\(error.step): \(ErrorNumber.text(error.code))", ContinuousClock.now - began)
        }
    }

    @Test func `an answer is complete before the connection is closed`() async throws {
        let server = try await TestServer.start()
        let (result, time) = Self.run(port: UInt16(server.port), milliseconds: 10_000)
        #expect(result == "200" && time < .seconds(5))
        await server.stop()
    }

    @Test func `a peer that says nothing is left at the deadline`() async throws {
        let server = try await TestServer.start()
        let exchange = HTTPExchange(
            host: "127.0.0.1",
            port: UInt16(server.port),
            deadlineNanoseconds: Timestamp.monotonicNanoseconds() + 50_000_000,
            answerLimitBytes: 100
        )
        let began = ContinuousClock.now
        #expect(throws: HTTPExchange.Failure.self) { try exchange.result(Self.head("/held"), on: Self.loop).get() }
        #expect(ContinuousClock.now - began >= .milliseconds(50))
        server.held.release()
        await server.stop()
    }

    @Test func `a closed port is told at once`() async throws {
        let server = try await TestServer.start()
        let port = UInt16(server.port)
        await server.stop()
        let (result, time) = Self.run(port: port, milliseconds: 10_000)
        #expect(result == "connect: Connection refused" && time < .seconds(5))
    }

    @Test func `a long answer is read up to the limit`() async throws {
        let server = try await TestServer.start()
        let exchange = HTTPExchange(
            host: "127.0.0.1",
            port: UInt16(server.port),
            deadlineNanoseconds: Timestamp.monotonicNanoseconds() + 10_000_000_000,
            answerLimitBytes: 10_000
        )
        let answer = try exchange.result(Self.head("/large"), on: Self.loop).get()
        #expect(answer.status == 200 && (10_000..<20_000).contains(answer.body.count) && !answer.isComplete)
        await server.stop()
    }
}
