import HTTPServing
import NIOCore
import NIOHTTP1

/// One connection to kv-service: the last handler of its channel, around an ``UpstreamConnectionStateMachine``.
/// Confined to its event loop.
///
/// ```
///   socket ─ bytes ─▶ HTTPResponseDecoder ─ parts ─▶ UpstreamConnection ─ answers ─▶ UpstreamPool
///   socket ◀────────────── bytes ───────────────────┘
/// ```
///
/// Requests are encoded to bytes here and written past the decoder. The decoder needs requests only to know whether
/// their answers have a body, so it always gets a `GET`: the gateway sends no `HEAD`.
final class UpstreamConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    /// Answers have few and short fields; anything larger is not from kv-service.
    private static let decoderLimits = {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 8192
        limits.maxHeaderListSize = 16384
        limits.maxHeaderFieldCount = 64
        return limits
    }()
    /// A value up to this size is copied after its head: one small copy is cheaper than a write of two parts.
    private static let copiedValueBytes = 4096

    private let requestForDecoder = HTTPClientRequestPart.head(
        HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
    )
    private let decoder = HTTPResponseDecoder(limitConfiguration: UpstreamConnection.decoderLimits)
    private var machine: UpstreamConnectionStateMachine
    /// Nil after the connection is closed.
    private var pool: UpstreamPool?
    /// The decoder's place in the pipeline: writes there go to the socket.
    private var decoderContext: ChannelHandlerContext?
    private var exchange: UpstreamExchange?
    /// Whether its current or last request is a write.
    private(set) var carriesWrite = false
    private var requestBuffer = ByteBuffer()

    init(pool: UpstreamPool, maxBodyBytes: Int) {
        self.pool = pool
        self.machine = UpstreamConnectionStateMachine(maxBodyBytes: maxBodyBytes)
    }

    /// Puts the decoder and this handler into a new channel's pipeline.
    func addHandlers(to channel: any Channel) throws {
        let decoding = ByteToMessageHandler(self.decoder, maximumBufferSize: 65536)
        try channel.pipeline.syncOperations.addHandlers([decoding, self])
        self.decoderContext = try channel.pipeline.syncOperations.context(handler: decoding)
    }

    /// Writes a request.
    /// - Returns: False if the connection is already closed: no byte was written, and the pool is not notified.
    /// - Precondition: No other request is in flight.
    func send(_ exchange: UpstreamExchange, encoder: UpstreamRequestEncoder, now: UInt64) -> Bool {
        guard let context = self.decoderContext, context.channel.isActive else {
            self.close()
            return false
        }
        self.machine.requestSent(id: exchange.identity.id)
        self.exchange = exchange
        self.carriesWrite = exchange.operation.isWrite
        exchange.connection = self
        self.decoder.write(data: self.requestForDecoder)
        let timeoutMilliseconds = UpstreamRequestEncoder.timeoutMilliseconds(
            remainingNanoseconds: exchange.deadlineNanoseconds - min(now, exchange.deadlineNanoseconds))
        self.requestBuffer.clear()
        encoder.encodeHead(exchange, timeoutMilliseconds: timeoutMilliseconds, into: &self.requestBuffer)
        let valueBytes = exchange.value.readableBytes
        if valueBytes == 0 || valueBytes > Self.copiedValueBytes {
            context.write(NIOAny(self.requestBuffer), promise: nil)
            if valueBytes > 0 { context.write(NIOAny(exchange.value), promise: nil) }
        } else {
            self.requestBuffer.writeImmutableBuffer(exchange.value)
            context.write(NIOAny(self.requestBuffer), promise: nil)
        }
        context.flush()
        return true
    }

    /// Closes the connection with its request. The pool is not notified, because the pool calls this.
    func close() {
        _ = self.machine.abandoned()
        self.exchange = nil
        self.pool = nil
        self.decoderContext?.close(promise: nil)
    }

    // MARK: From the channel

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.act(self.machine.received(Self.unwrapInboundIn(data)), context: context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        switch self.machine.readComplete() {
        case .none:
            break
        case .release:
            self.pool?.connectionReleased(self)
        case .close:
            self.pool?.activeConnectionClosed(self)
            self.close()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.ended()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.invalidEOFState:
            // The connection ended in the middle of an answer.
            self.ended()
        case is HTTPParserError, is NIOHTTPDecoderError, is ByteToMessageDecoderError,
            is ByteToMessageDecoderError.PayloadTooLargeError:
            self.act(self.machine.decodingFailed("\(error)"), context: context)
        default:
            // The socket failed.
            self.ended()
        }
        context.close(promise: nil)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.decoderContext = nil
    }

    // MARK: -

    private func act(_ action: UpstreamConnectionStateMachine.PartAction, context: ChannelHandlerContext) {
        switch action {
        case .none:
            break
        case .complete(let response):
            self.takeExchange { exchange, pool in pool.completed(exchange, with: response) }
        case .fail(let failure):
            self.fail(failure)
            context.close(promise: nil)
        case .close:
            self.ended()
            context.close(promise: nil)
        }
    }

    /// The connection is closed.
    private func ended() {
        switch self.machine.closed() {
        case .none: break
        case .idleClosed: self.pool?.idleConnectionClosed(self)
        case .activeClosed: self.pool?.activeConnectionClosed(self)
        case .fail(let failure): self.fail(failure)
        }
        self.pool = nil
    }

    private func fail(_ failure: UpstreamFailure) {
        self.pool?.activeConnectionClosed(self)
        self.takeExchange { exchange, pool in pool.failed(exchange, failure) }
        self.pool = nil
    }

    private func takeExchange(_ body: (UpstreamExchange, UpstreamPool) -> Void) {
        guard let exchange = self.exchange, let pool = self.pool else { return }
        self.exchange = nil
        exchange.connection = nil
        body(exchange, pool)
    }
}

@available(*, unavailable)
extension UpstreamConnection: Sendable {}
