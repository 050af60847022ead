public import HTTP1
public import NIOCore
import NIOHTTP1
import NIOPosix
import SystemSupport

/// What a request belongs to that waits for something else than the disk, such as the next change of the store: for
/// minutes, or until its client goes away. Called on the connection's event loop.
public protocol HeldRequest: AnyObject {
    /// The connection takes bytes again.
    func hasRoom()
    /// The client has gone, or the server has cut the connection. The request must still be ended; nothing is sent.
    func clientGone()
    /// The server stops: the request is to be ended now.
    func serverStops()
}

extension Responder {
    /// Has the request wait: it is in flight no longer, and its duration in metrics ends here. It is answered, or streamed
    /// and ended, later.
    /// - Parameter holder: kept until the request is answered.
    public func hold(by holder: any HeldRequest) {
        guard case .connection(let connection) = self.request.destination, !self.request.isCut else { return }
        connection.hold(self.request, by: holder)
    }

    /// Begins an answer whose body follows piece by piece, and which is the last one of its connection.
    ///
    /// - Parameter bodyBytes: how many bytes will follow before the end; nil if that is unknown.
    /// - Precondition: the request is held, by a route that does not keep the order.
    /// - Returns: nil if no body follows: the request was `HEAD`, and is answered.
    public func stream(_ head: ResponseHead, bodyBytes: Int? = nil) -> ResponseStream? {
        guard case .connection(let connection) = self.request.destination, !self.request.isCut else { return nil }
        return connection.beginStream(self.request, head, bodyBytes: bodyBytes)
    }
}

/// The body of an answer, given piece by piece. Confined to the event loop of its connection.
public final class ResponseStream {
    /// Bytes for many streams: framed once, and shared by their connections.
    public struct Piece {
        /// A chunk of HTTP/1.1.
        fileprivate let chunk: ByteBuffer
        private let place: Range<Int>

        public var bodyBytes: Int { self.place.count }

        /// The bytes without their frame.
        var body: [UInt8] { self.chunk.getBytes(at: self.place.lowerBound, length: self.place.count) ?? [] }

        /// - Parameter body: not empty; copied.
        public init(_ body: ByteBuffer) { self.init(count: body.readableBytes) { $0.writeImmutableBuffer(body) } }

        /// - Parameter body: not empty; copied.
        public init(_ body: [UInt8]) { self.init(count: body.count) { $0.writeBytes(body) } }

        private init(count: Int, write: (inout ByteBuffer) -> Void) {
            var chunk = ByteBufferAllocator().buffer(capacity: count + 24)
            chunk.writeString(String(count, radix: 16))
            chunk.writeStaticString("\r\n")
            let begin = chunk.writerIndex
            write(&chunk)
            self.place = begin..<chunk.writerIndex
            chunk.writeStaticString("\r\n")
            self.chunk = chunk
        }

        fileprivate func bytes(isChunked: Bool) -> ByteBuffer {
            if isChunked { return self.chunk }
            guard let body = self.chunk.getSlice(at: self.place.lowerBound, length: self.place.count) else {
                preconditionFailure("a piece without its body")
            }
            return body
        }
    }

    private let connection: HTTPConnectionHandler
    private let request: HTTPRequest
    private let isChunked: Bool
    private let status: UInt
    private(set) var bodyBytes = 0
    private var isEnded = false

    init(_ connection: HTTPConnectionHandler, _ request: HTTPRequest, status: UInt, isChunked: Bool) {
        self.connection = connection
        self.request = request
        self.isChunked = isChunked
        self.status = status
    }

    /// Whether little waits to be sent. Pieces that are written nevertheless wait in memory.
    public var hasRoom: Bool { self.connection.hasRoom }

    /// Sends a piece, or keeps it until the socket takes it.
    public func write(_ piece: Piece) {
        if self.isEnded { return }
        self.bodyBytes += piece.bodyBytes
        self.connection.send(piece.bytes(isChunked: self.isChunked))
    }

    /// Ends the body, and the connection when everything is sent.
    public func end() {
        if self.isEnded { return }
        self.isEnded = true
        self.connection.endStream(
            self.request, status: self.status, bodyBytes: self.bodyBytes, last: self.isChunked ? "0\r\n\r\n" : "")
    }

    /// Cuts the connection, so that the client sees that the body is not complete.
    public func abort() {
        if self.isEnded { return }
        self.isEnded = true
        self.connection.abortStream(self.request, status: self.status, bodyBytes: self.bodyBytes)
    }
}

@available(*, unavailable)
extension ResponseStream: Sendable {}

extension HTTPConnectionHandler {
    /// Milliseconds after which the system ends a streamed answer whose client acknowledges nothing: sent bytes alone do not
    /// show that the client is still there.
    private static let unacknowledgedMilliseconds = 45_000
    /// `TCP_USER_TIMEOUT`, for which NIO has no name.
    private static let userTimeout = NIOBSDSocket.Option(rawValue: 18)

    func hold(_ request: HTTPRequest, by holder: any HeldRequest) {
        request.heldAtNanoseconds = MonotonicClock.nanoseconds()
        self.holder = holder
        self.countInFlight(-1)
        if self.machine.phase == .closed {
            // It went while the route looked whether the request could be answered.
            self.loop.eventLoop.assumeIsolated().execute { self.releaseHolder() }
            return
        }
        guard self.loop.isDraining else { return }
        // Not before the route has done what belongs to the begin of the wait.
        self.loop.eventLoop.assumeIsolated().execute {
            if self.holder === holder { holder.serverStops() }
        }
    }

    func beginStream(_ request: HTTPRequest, _ head: ResponseHead, bodyBytes: Int?) -> ResponseStream? {
        precondition(self.isTurn(of: request), "a streamed answer before its turn")
        self.machine.endBegan()
        let isChunked = request.isHTTP11 && bodyBytes == nil
        let stream = ResponseStream(self, request, status: head.status.code, isChunked: isChunked)
        if self.machine.phase != .closed {
            self.withOutput { output in
                self.loop.encoder.writeStreamHead(
                    head, requestID: request.identity.id, bodyBytes: bodyBytes, isChunked: isChunked, to: &output)
            }
        }
        if request.method == .head {
            self.endStream(request, status: head.status.code, bodyBytes: 0, last: "")
            return nil
        }
        self.isStreaming = true
        self.limitUnacknowledgedTime()
        if !self.inBurst { self.flush() }
        return stream
    }

    private func limitUnacknowledgedTime() {
        guard let options = self.context?.channel.syncOptions else { return }
        do {
            try options.setOption(.tcpOption(Self.userTimeout), value: .init(Self.unacknowledgedMilliseconds))
        } catch {
            // Not a TCP connection, or closed: the time limit of the system applies.
        }
    }

    /// Whether little waits to be sent.
    var hasRoom: Bool { self.isWritable && self.machine.phase != .closed }

    fileprivate func send(_ bytes: ByteBuffer) {
        guard let context = self.context, self.machine.phase != .closed else { return }
        if self.output != nil {
            // The head, or what was kept until the end of the burst.
            self.withOutput { $0.writeImmutableBuffer(bytes) }
            if !self.inBurst { self.flush() }
            return
        }
        self.writtenBytes &+= UInt64(bytes.readableBytes)
        self.mayHaveUnsentBytes = true
        context.writeAndFlush(NIOAny(bytes), promise: nil)
    }

    fileprivate func endStream(_ request: HTTPRequest, status: UInt, bodyBytes: Int, last: StaticString) {
        self.isStreaming = false
        self.holder = nil
        guard request.isCurrent else { return }
        self.withOutput { $0.writeStaticString(last) }
        _ = self.answered(request, status: status, bodyBytes: bodyBytes, closes: true)
        if !self.inBurst { self.flush() }
    }

    fileprivate func abortStream(_ request: HTTPRequest, status: UInt, bodyBytes: Int) {
        self.isStreaming = false
        self.holder = nil
        guard request.isCurrent else { return }
        _ = self.answered(request, status: status, bodyBytes: bodyBytes, closes: true)
        self.context?.close(promise: nil)
    }

    /// The client has gone.
    func releaseHolder() {
        self.isStreaming = false
        self.holder.take()?.clientGone()
    }
}
