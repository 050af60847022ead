import NIOCore
import NIOSSL

/// Answers the pings of an HTTP/2 server below the HTTP/2 implementation, which does not see them.
///
/// A server in Go pings after each answer, to measure how much data is on its way. swift-nio-http2 1.46 takes more than 200
/// control frames in 30 s for an attack and closes the connection, and the transport has no setting for that. Everything else
/// passes unchanged, acknowledgements of pings as well.
final class HTTP2PingResponder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// RFC 9113, sections 4.1 and 6.7.
    private static let headerBytes = 9
    private static let pingBytes = 8
    private static let pingType: UInt8 = 6
    private static let acknowledgement: UInt8 = 1

    /// The beginning of a frame whose header, or whose ping, is not complete yet.
    private var held = ByteBuffer()
    /// Bytes of the payload that passes, which are still to come.
    private var passing = 0
    private var hasAnswered = false

    /// Adds it to the pipeline of a connection: next to the HTTP/2 handler's side of TLS, if there is TLS.
    static func add(to channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let operations = channel.pipeline.syncOperations
            let tls = try? operations.handler(type: NIOSSLClientHandler.self)
            try operations.addHandler(HTTP2PingResponder(), position: tls.map { .after($0) } ?? .first)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = Self.unwrapInboundIn(data)
        if self.held.readableBytes > 0 {
            self.held.writeBuffer(&bytes)
            swap(&self.held, &bytes)
            self.held = ByteBuffer()
        }
        // Where the bytes begin that pass next, and where the scan is.
        var (start, place) = (bytes.readerIndex, bytes.readerIndex)
        while place < bytes.writerIndex {
            let left = bytes.writerIndex - place
            if self.passing > 0 {
                let part = min(self.passing, left)
                self.passing -= part
                place += part
                continue
            }
            guard let frame = Self.frame(bytes, at: place) else { break }
            if frame.type != Self.pingType || frame.flags & Self.acknowledgement != 0 {
                self.passing = Self.headerBytes + frame.length
                continue
            }
            // One of another length is an error, which HTTP/2's implementation will report.
            guard frame.length == Self.pingBytes else {
                self.passing = Self.headerBytes + frame.length
                continue
            }
            let frameBytes = Self.headerBytes + Self.pingBytes
            guard left >= frameBytes else { break }
            self.pass(bytes, start..<place, context)
            self.answer(bytes, at: place, context)
            place += frameBytes
            start = place
        }
        self.pass(bytes, start..<place, context)
        if place < bytes.writerIndex, let rest = bytes.getSlice(at: place, length: bytes.writerIndex - place) {
            self.held = rest
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if self.hasAnswered {
            self.hasAnswered = false
            context.flush()
        }
        context.fireChannelReadComplete()
    }

    /// - Returns: nil if its header is not complete.
    private static func frame(_ bytes: ByteBuffer, at place: Int) -> (length: Int, type: UInt8, flags: UInt8)? {
        guard bytes.writerIndex - place >= Self.headerBytes,
            let lengthAndType = bytes.getInteger(at: place, as: UInt32.self),
            let flags = bytes.getInteger(at: place + 4, as: UInt8.self)
        else { return nil }
        return (Int(lengthAndType >> 8), UInt8(truncatingIfNeeded: lengthAndType), flags)
    }

    private func pass(_ bytes: ByteBuffer, _ range: Range<Int>, _ context: ChannelHandlerContext) {
        guard !range.isEmpty, let slice = bytes.getSlice(at: range.lowerBound, length: range.count) else { return }
        context.fireChannelRead(Self.wrapInboundOut(slice))
    }

    private func answer(_ bytes: ByteBuffer, at place: Int, _ context: ChannelHandlerContext) {
        guard var frame = bytes.getSlice(at: place, length: Self.headerBytes + Self.pingBytes) else { return }
        frame.setInteger(Self.acknowledgement, at: frame.readerIndex + 4)
        context.write(Self.wrapOutboundOut(frame), promise: nil)
        self.hasAnswered = true
    }
}

@available(*, unavailable)
extension HTTP2PingResponder: Sendable {}
