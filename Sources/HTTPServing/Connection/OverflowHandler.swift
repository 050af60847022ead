import NIOCore

/// A connection above the limit: it gets a 503 and is closed without being read.
///
/// The answer is sent before the request is known, the output is shut, and received bytes are dropped until the peer
/// closes or the time limit, so that a reset does not destroy the answer.
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
