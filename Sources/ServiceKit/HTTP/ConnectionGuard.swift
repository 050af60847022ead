import JSONLogging
import NIOCore

/// The first handler of a connection: sees its raw bytes, and lets the decoder have them one request at a time.
///
/// The decoder can't be stopped in the middle of a buffer, so a burst of pipelined requests is cut here: at the end of
/// each head, of each body of known length, and at every empty line of a chunked one. What comes after a request waits
/// here, as bytes, until the request is answered. One buffer of the socket is the most that waits; then reading stops.
///
/// Heads are given on whole, after ``HeadScanner`` has found nothing wrong with their shape and size.
final class ConnectionGuard: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// The most that waits. Only a peer that pipelines and then closes its half can come near it, for then the
    /// channel reads everything at once.
    private static let heldLimitBytes = 262_144

    private let connection: HTTPConnectionHandler
    private var scanner: HeadScanner
    private var bodyEnd = BlankLineFinder()
    private var held = ByteBuffer()
    private var context: ChannelHandlerContext?
    private var isFeeding = false
    /// Whether what is held is the beginning of a head, all of it scanned.
    private var needsMore = false
    private var inputEnded = false

    init(connection: HTTPConnectionHandler, limits: HTTPServer.Limits) {
        self.connection = connection
        self.scanner = HeadScanner(limits: limits.head)
    }

    /// Whether bytes wait here that no answer to come will need more of.
    var holdsBytes: Bool { self.held.readableBytes > 0 && !self.needsMore }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.connection.input = self
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.connection.input = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = Self.unwrapInboundIn(data)
        if self.held.readableBytes == 0 {
            self.held = buffer
        } else {
            guard self.held.readableBytes + buffer.readableBytes <= Self.heldLimitBytes else {
                context.close(promise: nil)
                return
            }
            self.held.writeBuffer(&buffer)
        }
        self.needsMore = false
        self.feed(now: Timestamp.monotonicNanoseconds())
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The decoder is not told: it would take the end for an error while whole requests still wait here.
        if case .some(.inputClosed) = event as? ChannelEvent {
            self.inputEnded = true
            self.feed(now: Timestamp.monotonicNanoseconds())
            return
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Gives the decoder as much as the connection takes now, then sends what was answered.
    func feed(now: UInt64) {
        guard !self.isFeeding, let context = self.context else { return }
        self.isFeeding = true
        self.connection.beginBurst(now: now)
        repeat {
            while self.held.readableBytes > 0, !self.needsMore, self.pass(context, now: now) {}
            self.connection.flush()
        } while self.held.readableBytes > 0 && !self.needsMore && self.connection.demand != .nothing
        if self.held.readableBytes == 0 {
            // The receive buffer goes back to the channel.
            self.held = ByteBuffer()
        }
        self.isFeeding = false
        if self.inputEnded, self.held.readableBytes == 0 || self.needsMore {
            self.connection.inputDidEnd()
        }
        self.connection.endBurst()
    }

    /// Gives on the next piece.
    ///
    /// - Returns: false when no further piece can follow now.
    private func pass(_ context: ChannelHandlerContext, now: UInt64) -> Bool {
        switch self.connection.demand {
        case .nothing: return false
        case .discard:
            self.held.clear()
            return false
        case .head:
            self.connection.requestBegan(now: now)
            // A span of a property would outlive its access where exclusivity is not enforced at run time.
            let held = self.held
            switch self.scanner.scan(held.readableBytesUInt8Span) {
            case .incomplete:
                self.needsMore = true
                return false
            case .refused(let refusal):
                self.connection.refuse(refusal)
            case .complete(let length):
                self.scanner.reset()
                self.bodyEnd = BlankLineFinder()
                self.passOn(length, context)
            }
        case .body(let remaining): self.passOn(min(remaining, self.held.readableBytes), context)
        case .chunkedBody:
            let held = self.held
            let length = self.bodyEnd.endOfBlankLine(in: held.readableBytesUInt8Span) ?? held.readableBytes
            self.passOn(length, context)
            self.connection.didPassChunked(length)
        }
        return true
    }

    private func passOn(_ length: Int, _ context: ChannelHandlerContext) {
        if length == self.held.readableBytes {
            // Nothing is kept, so that the decoder's slices are the only references to the bytes.
            let all = self.held
            self.held = ByteBuffer()
            context.fireChannelRead(Self.wrapInboundOut(all))
        } else if let piece = self.held.readSlice(length: length) {
            context.fireChannelRead(Self.wrapInboundOut(piece))
        }
    }
}

@available(*, unavailable)
extension ConnectionGuard: Sendable {}
