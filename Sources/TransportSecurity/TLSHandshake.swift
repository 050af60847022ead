import NIOCore
import NIOSSL
import NIOTLS

/// Waits behind a client's TLS handler for the end of the handshake, and leaves then. The handlers behind it learn that the
/// connection is active when it can be used, not before. Confined to its event loop.
final class TLSHandshake: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    private let promise: EventLoopPromise<Void>
    private let timeout: TimeAmount
    private var expiry: Scheduled<Void>?
    private var isOver = false

    init(_ promise: EventLoopPromise<Void>, timeout: TimeAmount) {
        self.promise = promise
        self.timeout = timeout
    }

    func channelActive(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        self.expiry = context.eventLoop.scheduleTask(in: self.timeout) {
            let (handshake, context) = bound.value
            handshake.fail(ChannelError.connectTimeout(handshake.timeout), context)
        }
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted? = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        self.end()
        context.fireChannelActive()
        self.promise.succeed()
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.fail(error, context) }

    func channelInactive(context: ChannelHandlerContext) {
        self.fail(ChannelError.eof, context)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.fail(ChannelError.eof, context) }

    private func end() {
        self.isOver = true
        self.expiry?.cancel()
    }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        if self.isOver { return }
        self.end()
        self.promise.fail(error)
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension TLSHandshake: Sendable {}
