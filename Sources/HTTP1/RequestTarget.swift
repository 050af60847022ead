/// A parsed request target: where path and query are, as received, not decoded.
public struct RequestTarget: Equatable {
    /// Nil for an absolute form without one, which means `/`.
    public let path: Range<Int>?
    /// The part after the first `?`; nil if there is none.
    public let query: Range<Int>?

    /// Accepts the origin form `/path?query`, the absolute form `http://authority/path?query`, and `*`.
    ///
    /// - Parameters:
    ///   - bytes: the bytes that contain the target.
    ///   - target: where it is. Path and query are given as offsets in the same bytes.
    /// - Throws: a 400 for a fragment and for any other form.
    public init(parsing bytes: Span<UInt8>, _ target: Range<Int>) throws(Problem) {
        let begin = try Self.beginOfPath(bytes, target)
        let end = target.upperBound
        if ASCII.first("#", in: bytes, from: begin, before: end) != nil {
            throw .badRequest("The request target must not contain a fragment; write '#' in a key as %23.")
        }
        let mark = ASCII.first("?", in: bytes, from: begin, before: end) ?? end
        self.path = begin == mark && begin > target.lowerBound ? nil : begin..<mark
        self.query = mark == end ? nil : mark + 1..<end
    }

    /// Start of the path: after the authority of an absolute form.
    private static func beginOfPath(_ bytes: Span<UInt8>, _ target: Range<Int>) throws(Problem) -> Int {
        let begin = target.lowerBound
        if target.isEmpty || bytes[begin] == UInt8(ascii: "/") { return begin }
        if target.count == 1, bytes[begin] == UInt8(ascii: "*") { return begin }
        let scheme: StaticString = "http://"
        let length = scheme.utf8CodeUnitCount
        guard target.count > length, ASCII.equal(bytes.extracting(begin..<begin + length), scheme) else {
            throw .badRequest("The request target must begin with '/'.")
        }
        var index = begin + length
        while index < target.upperBound, !Self.endsAuthority(bytes[index]) { index += 1 }
        guard index > begin + length else { throw .badRequest("The request target has no host.") }
        // As of the Host field: no user, and nothing that another server might take for the end of the host.
        guard ASCII.isHost(bytes.extracting(begin + length..<index)) else {
            throw .badRequest("The host in the request target is not a host name.")
        }
        return index
    }

    private static func endsAuthority(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
    }
}
