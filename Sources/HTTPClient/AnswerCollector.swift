import Glibc
import NIOCore
import NIOHTTP1

/// Sends one request and collects the answer, of which it keeps what has come if the peer ends early: a status without
/// all of its body is an answer. (NIO's response aggregator gives nothing then.) Confined to its event loop.
final class AnswerCollector: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let answerLimitBytes: Int
    private let promise: EventLoopPromise<ReceivedAnswer>
    private(set) var answer = ReceivedAnswer()
    private var isSent = false
    private var isOver = false

    init(answerLimitBytes: Int, promise: EventLoopPromise<ReceivedAnswer>) {
        self.answerLimitBytes = answerLimitBytes
        self.promise = promise
    }

    /// Adds what reads and writes HTTP/1 to the pipeline of a connected channel, and sends the request.
    ///
    /// The promise is kept once the answer is complete, the peer has closed, or the limit is reached.
    func start(_ head: HTTPRequestHead, _ body: ByteBuffer, on channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = self.answerLimitBytes
        try pipeline.addHTTPClientHandlers(decoderLimitConfiguration: limits)
        try pipeline.addHandler(self)
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil)
        let sent = channel.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success: self.isSent = true
            case .failure(let error): self.fail(HTTPExchange.Failure(error, step: "send"))
            }
        }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: sent)
    }

    /// The time is over.
    func expire() {
        self.fail(HTTPExchange.Failure(step: self.isSent ? "receive" : "send", code: ETIMEDOUT))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch Self.unwrapInboundIn(data) {
        case .head(let head): self.answer.take(head)
        case .body(let bytes):
            self.answer.body += bytes.readableBytesView
            if self.answer.body.count >= self.answerLimitBytes { self.succeed() }
        case .end:
            self.answer.isComplete = true
            self.succeed()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.succeed()
        context.fireChannelInactive()
    }

    /// What is no HTTP/1 ends the answer; what the system reports fails the exchange.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is IOError { self.fail(HTTPExchange.Failure(error, step: "receive")) } else { self.succeed() }
    }

    private func succeed() {
        if self.isOver { return }
        self.isOver = true
        self.promise.succeed(self.answer)
    }

    private func fail(_ failure: HTTPExchange.Failure) {
        if self.isOver { return }
        self.isOver = true
        self.promise.fail(failure)
    }
}
