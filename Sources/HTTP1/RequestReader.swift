package import NIOCore

/// The received bytes of a connection that no request has taken yet, and where in a request they stand.
///
/// A burst of pipelined requests is taken one request at a time: what comes after one waits here, as bytes, until the
/// request is answered. One buffer of the socket is the most that waits; then reading stops.
package struct RequestReader {
    /// The most that waits. Only a peer that pipelines and then closes its half can come near it, for then the
    /// channel reads everything at once.
    private static let heldLimitBytes = 262_144

    package enum Head {
        case incomplete
        case complete(RequestHead)
        case refused(HeadScanner.Refusal)
    }

    package enum Chunk {
        case data(ByteBuffer)
        case more
        case end
        case refused
    }

    package private(set) var held = ByteBuffer()
    private var scanner: HeadScanner
    private var chunks = ChunkedBodyDecoder()
    /// Whether what is held is the beginning of a head, all of it scanned.
    private var needsMore = false

    package init(limits: HeadScanner.Limits) {
        self.scanner = HeadScanner(limits: limits)
    }

    /// Whether bytes wait that can be taken without any others.
    package var holdsBytes: Bool { self.held.readableBytes > 0 && !self.needsMore }

    /// Whether the head of a further request waits, whole or not fit to be taken. To be asked between requests only.
    package var holdsHead: Bool {
        guard self.holdsBytes else { return false }
        var scanner = self.scanner
        let held = self.held
        return scanner.scan(held.readableBytesUInt8Span) != .incomplete
    }

    /// - Returns: false when more would wait than may; nothing of `received` is taken then.
    package mutating func append(_ received: ByteBuffer) -> Bool {
        self.needsMore = false
        if self.held.readableBytes == 0 {
            self.held = received
            return true
        }
        guard self.held.readableBytes + received.readableBytes <= Self.heldLimitBytes else { return false }
        self.held.writeImmutableBuffer(received)
        return true
    }

    /// Gives a receive buffer back of which only a part waits. To be called when what waits may do so for long.
    package mutating func compact() {
        guard self.held.storageCapacity > 4_096 + 2 * self.held.readableBytes else { return }
        self.held = ByteBuffer(bytes: self.held.readableBytesView)
    }

    package mutating func dropAll() {
        self.held = ByteBuffer()
        self.needsMore = false
    }

    /// Takes the next request's head, if all of it is there.
    package mutating func nextHead() -> Head {
        // A span of a property would outlive its access where exclusivity is not enforced at run time.
        let held = self.held
        switch self.scanner.scan(held.readableBytesUInt8Span) {
        case .incomplete:
            self.needsMore = true
            return .incomplete
        case .refused(let refusal): return .refused(refusal)
        case .complete(let length):
            let head = RequestHead(self.scanner, in: held)
            self.scanner.reset()
            self.chunks = ChunkedBodyDecoder()
            _ = self.take(length)
            return .complete(head)
        }
    }

    /// Takes what is there of a body, at most `limit` bytes.
    package mutating func nextPiece(limit: Int) -> ByteBuffer {
        self.take(min(limit, self.held.readableBytes))
    }

    /// Takes the next piece of a chunked body.
    ///
    /// - Returns: how many bytes were taken, data included, and what they were.
    package mutating func nextChunk() -> (taken: Int, chunk: Chunk) {
        let held = self.held
        let (taken, step) = self.chunks.take(held.readableBytesUInt8Span)
        _ = self.take(taken)
        switch step {
        case .more: return (taken, .more)
        case .end: return (taken, .end)
        case .refused: return (taken, .refused)
        case .data(let count):
            self.chunks.tookData(count)
            return (taken + count, .data(self.take(count)))
        }
    }

    private mutating func take(_ count: Int) -> ByteBuffer {
        guard let piece = self.held.readSlice(length: count) else {
            preconditionFailure("more bytes were taken than there are")
        }
        // The receive buffer goes back to the channel when nobody else holds on to it.
        if self.held.readableBytes == 0 { self.held = ByteBuffer() }
        return piece
    }
}
