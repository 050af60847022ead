public import NIOCore

/// A request's head: its bytes, which ``HeadScanner`` has accepted, and where its parts are.
public struct RequestHead: Sendable {
    /// In place of a head that was never complete.
    public static let none = RequestHead()

    public let method: RequestMethod
    public let isHTTP11: Bool
    /// All bytes of the head.
    public var bytes: ByteBuffer { self.received ?? ByteBuffer() }
    /// Nil if there are none: an empty buffer refers to storage too, which all threads share.
    private var received: ByteBuffer?
    /// The target, as offsets in the bytes.
    public let target: Range<Int>
    /// Complete lines, each `name ":" value CR LF`, as offsets in the bytes.
    public let fieldLines: Range<Int>

    /// - Parameters:
    ///   - scanner: has just found the end of the head.
    ///   - bytes: all bytes of the head.
    public init(_ scanner: HeadScanner, in bytes: ByteBuffer) {
        self.method = scanner.line.method
        self.isHTTP11 = scanner.line.isHTTP11
        self.received = bytes
        self.target = scanner.target
        self.fieldLines = scanner.fieldLines
    }

    private init() {
        self.method = .other
        self.isHTTP11 = true
        self.target = 0..<0
        self.fieldLines = 0..<0
    }

    /// Frees the rest of the buffer in which the bytes were received. Call it if they are kept for long.
    public mutating func compact() { self.received = self.received?.compacted }

    /// Lets go of the bytes; all else stays.
    public mutating func releaseBytes() {
        self.received = nil
    }
}
