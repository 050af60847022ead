public import NIOCore

/// The received bytes of a connection that belong to no request yet, and the position in the current request.
///
/// A burst of pipelined requests is read one request at a time: the bytes after it wait here until the connection may
/// read the next one. At most one receive buffer waits; then reading stops.
///
/// Confined to the connection's event loop.
public final class RequestReader {
    /// Maximum bytes that wait. Only a peer that pipelines and then closes its sending half can come near it, because
    /// the channel then reads everything at once.
    private static let heldLimitBytes = 262_144

    public enum Head: Sendable {
        case incomplete
        case complete(RequestHead)
        case refused(HeadScanner.Refusal)
    }

    public enum Chunk: Sendable {
        case data(ByteBuffer)
        case more
        case end
        case refused
    }

    /// Nil if there are none: an empty buffer refers to storage too, which all threads share.
    private var held: ByteBuffer?
    private var scanner: HeadScanner
    private var chunks = ChunkedBodyDecoder()
    /// Whether the held bytes are an incomplete head that has been scanned.
    private var needsMore = false

    public init(limits: HeadScanner.Limits) {
        self.scanner = HeadScanner(limits: limits)
    }

    /// Whether there are bytes that can be processed without further ones.
    public var holdsBytes: Bool { self.heldBytes > 0 && !self.needsMore }

    private var heldBytes: Int { self.held?.readableBytes ?? 0 }

    /// Memory that the bytes take.
    var storageBytes: Int { self.held?.storageCapacity ?? 0 }

    /// Whether the head of a further request waits, complete or invalid. Call it between requests only.
    public var holdsHead: Bool {
        guard self.holdsBytes, let held = self.held else { return false }
        var scanner = self.scanner
        return scanner.scan(held.readableBytesUInt8Span) != .incomplete
    }

    /// - Returns: false if the limit would be exceeded; then nothing of `received` is kept.
    public func append(_ received: ByteBuffer) -> Bool {
        self.needsMore = false
        if self.heldBytes == 0 {
            self.held = received
            return true
        }
        guard self.heldBytes + received.readableBytes <= Self.heldLimitBytes else { return false }
        self.held?.writeImmutableBuffer(received)
        return true
    }

    /// Frees a receive buffer of which only a part is needed. Call it when the rest may wait for a long time.
    public func compact() {
        self.held = self.held?.compacted
    }

    public func dropAll() {
        self.held = nil
        self.needsMore = false
    }

    /// Returns the next request's head, if it is complete.
    public func nextHead() -> Head {
        guard let held = self.held else { return .incomplete }
        switch self.scanner.scan(held.readableBytesUInt8Span) {
        case .incomplete:
            self.needsMore = true
            // The rest may take its time.
            self.compact()
            return .incomplete
        case .refused(let refusal): return .refused(refusal)
        case .complete(let length):
            let head = RequestHead(self.scanner, in: self.take(length))
            self.scanner.reset()
            self.chunks = ChunkedBodyDecoder()
            return .complete(head)
        }
    }

    /// Whether a part of a head was found, more than empty lines before it.
    public var isInHead: Bool { self.scanner.isInHead }

    /// Returns the available part of a body, at most `limit` bytes.
    public func nextPiece(limit: Int) -> ByteBuffer {
        self.take(min(limit, self.heldBytes))
    }

    /// Returns the next piece of a chunked body.
    ///
    /// - Returns: how many bytes were read, including data, and what they were.
    public func nextChunk() -> (taken: Int, chunk: Chunk) {
        guard let held = self.held else { return (0, .more) }
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

    private func take(_ count: Int) -> ByteBuffer {
        // The channel gets the receive buffer back when nothing else refers to it.
        if count == self.heldBytes, let all = self.held.take() { return all }
        guard let piece = self.held?.readSlice(length: count) else {
            preconditionFailure("more bytes were taken than there are")
        }
        return piece
    }
}

@available(*, unavailable)
extension RequestReader: Sendable {}

extension ByteBuffer {
    /// The same bytes in memory of their own, if this has far more than they need. What a channel has received may be a
    /// few bytes in a buffer of 32 or 64 KiB.
    public var compacted: ByteBuffer {
        self.storageCapacity > 4_096 + 2 * self.readableBytes ? ByteBuffer(bytes: self.readableBytesView) : self
    }
}
