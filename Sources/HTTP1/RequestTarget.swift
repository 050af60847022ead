/// A parsed request target: path and query as received, not decoded.
package struct RequestTarget: Equatable {
    /// For a request whose target could not be parsed.
    package static let unknown = RequestTarget(path: "-", query: nil)

    package let path: String
    package let query: String?

    private init(path: String, query: String?) {
        self.path = path
        self.query = query
    }

    /// Accepts the origin form `/path?query`, the absolute form `http://authority/path?query`, and `*`.
    ///
    /// - Throws: a 400 for a fragment and for any other form.
    package init(parsing bytes: Span<UInt8>) throws(Problem) {
        let begin = try Self.beginOfPath(bytes)
        var mark = bytes.count
        for index in begin..<bytes.count {
            if bytes[index] == UInt8(ascii: "#") {
                throw .badRequest("The request target must not contain a fragment; write '#' in a key as %23.")
            }
            if bytes[index] == UInt8(ascii: "?"), mark == bytes.count { mark = index }
        }
        // An absolute form may omit its path.
        self.path = begin == mark && begin > 0 ? "/" : ASCII.string(bytes.extracting(begin..<mark))
        self.query = mark == bytes.count ? nil : ASCII.string(bytes.extracting(mark + 1..<bytes.count))
    }

    /// Start of the path: after the authority of an absolute form.
    private static func beginOfPath(_ bytes: Span<UInt8>) throws(Problem) -> Int {
        if bytes.isEmpty || bytes[0] == UInt8(ascii: "/") { return 0 }
        if bytes.count == 1, bytes[0] == UInt8(ascii: "*") { return 0 }
        let scheme: StaticString = "http://"
        let length = scheme.utf8CodeUnitCount
        guard bytes.count > length, ASCII.equal(bytes.extracting(0..<length), scheme) else {
            throw .badRequest("The request target must begin with '/'.")
        }
        var index = length
        while index < bytes.count, !Self.endsAuthority(bytes[index]) { index += 1 }
        guard index > length else { throw .badRequest("The request target has no host.") }
        return index
    }

    private static func endsAuthority(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
    }
}
