package import NIOCore

/// A request's head: its bytes, which ``HeadScanner`` has accepted, and where its parts are.
package struct RequestHead {
    /// In place of a head that was never complete.
    package static let none = RequestHead()

    package let method: RequestMethod
    package let isHTTP11: Bool
    /// All bytes of the head.
    package private(set) var bytes: ByteBuffer
    /// The target, as offsets in the bytes.
    package let target: Range<Int>
    /// Complete lines, each `name ":" value CR LF`, as offsets in the bytes.
    package let fieldLines: Range<Int>

    /// - Parameters:
    ///   - scanner: has just found the end of the head.
    ///   - bytes: all bytes of the head.
    package init(_ scanner: HeadScanner, in bytes: ByteBuffer) {
        self.method = scanner.line.method
        self.isHTTP11 = scanner.line.isHTTP11
        self.bytes = bytes
        self.target = scanner.target
        self.fieldLines = scanner.fieldLines
    }

    private init() {
        self.method = .other
        self.isHTTP11 = true
        self.bytes = ByteBuffer()
        self.target = 0..<0
        self.fieldLines = 0..<0
    }

    /// Lets go of the bytes; all else stays.
    package mutating func releaseBytes() {
        self.bytes = ByteBuffer()
    }
}
