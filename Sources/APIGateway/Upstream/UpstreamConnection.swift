import HTTPServing
import NIOCore

/// One connection to kv-service: the only handler of its channel, around an ``UpstreamConnectionStateMachine``.
/// Confined to its event loop.
final class UpstreamConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// A value up to this size is copied after its head: one small copy is cheaper than a write of two parts.
    private static let copiedValueBytes = 4096

    private var machine: UpstreamConnectionStateMachine
    /// Nil after the connection is closed.
    private var pool: UpstreamPool?
    private var context: ChannelHandlerContext?
    private var exchange: UpstreamExchange?
    /// Whether its current or last request is a write.
    private(set) var carriesWrite = false
    private var requestBuffer = ByteBuffer()

    init(pool: UpstreamPool, maxBodyBytes: Int) {
        self.pool = pool
        self.machine = UpstreamConnectionStateMachine(maxBodyBytes: maxBodyBytes)
    }

    /// Writes a request.
    /// - Returns: False if the connection is already closed: no byte was written, and the pool is not notified.
    /// - Precondition: No other request is in flight.
    func send(_ exchange: UpstreamExchange, encoder: UpstreamRequestEncoder, now: UInt64) -> Bool {
        guard let context = self.context, context.channel.isActive else {
            self.close()
            return false
        }
        self.machine.requestSent(id: exchange.identity.id)
        self.exchange = exchange
        self.carriesWrite = exchange.operation.isWrite
        exchange.connection = self
        let timeoutMilliseconds = UpstreamRequestEncoder.timeoutMilliseconds(
            remainingNanoseconds: exchange.deadlineNanoseconds - min(now, exchange.deadlineNanoseconds))
        let isCopied = exchange.value.readableBytes <= Self.copiedValueBytes
        self.requestBuffer.clear()
        encoder.encodeHead(
            exchange, timeoutMilliseconds: timeoutMilliseconds,
            reservingBytes: isCopied ? exchange.value.readableBytes : 0, into: &self.requestBuffer)
        if isCopied {
            if exchange.value.readableBytes > 0 { self.requestBuffer.writeImmutableBuffer(exchange.value) }
            context.writeAndFlush(NIOAny(self.requestBuffer), promise: nil)
        } else {
            context.write(NIOAny(self.requestBuffer), promise: nil)
            context.writeAndFlush(NIOAny(exchange.value), promise: nil)
        }
        return true
    }

    /// Closes the connection with its request. The pool is not notified, because the pool calls this.
    func close() {
        _ = self.machine.abandoned()
        self.exchange = nil
        self.pool = nil
        self.context?.close(promise: nil)
    }

    // MARK: From the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.machine.received(Self.unwrapInboundIn(data)) {
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
        // The socket failed.
        self.ended()
        context.close(promise: nil)
    }

    // MARK: -

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
