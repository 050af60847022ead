import NIOCore

/// A connection above the limit: told so, and closed without having been read.
///
/// The answer goes out before the request is known, the output is shut, and what arrives is dropped until the peer
/// closes or the time is up, so that the answer isn't lost in a reset.
final class OverflowHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: ByteBuffer
    private let lingerTime: TimeAmount

    init(answer: ByteBuffer, lingerTime: TimeAmount) {
        self.answer = answer
        self.lingerTime = lingerTime
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(Self.wrapOutboundOut(self.answer), promise: nil)
        context.close(mode: .output, promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: self.lingerTime) { bound.value.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension OverflowHandler: Sendable {}
