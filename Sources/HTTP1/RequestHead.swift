package import NIOCore

/// A request's head, parsed from bytes that ``HeadScanner`` has accepted.
package struct RequestHead {
    package let method: RequestMethod
    package let isHTTP11: Bool
    package let headers: HeaderFields
    /// As received.
    private let targetBytes: ByteBuffer

    /// - Parameters:
    ///   - scanner: has just found the end of the head.
    ///   - bytes: all bytes of the head.
    package init(_ scanner: HeadScanner, in bytes: ByteBuffer) {
        self.method = scanner.line.method
        self.isHTTP11 = scanner.line.isHTTP11
        self.targetBytes = Self.slice(bytes, scanner.target)
        self.headers = HeaderFields(lines: Self.slice(bytes, scanner.fieldLines))
    }

    package func target() throws(Problem) -> RequestTarget {
        let bytes = self.targetBytes
        return try RequestTarget(parsing: bytes.readableBytesUInt8Span)
    }

    private static func slice(_ bytes: ByteBuffer, _ range: Range<Int>) -> ByteBuffer {
        guard let slice = bytes.getSlice(at: bytes.readerIndex + range.lowerBound, length: range.count) else {
            preconditionFailure("a head is longer than its bytes")
        }
        return slice
    }
}
