/// A request target taken apart: path and query as received, nothing decoded.
struct RequestTarget: Equatable {
    var path: String
    var query: String?

    /// Takes the origin form `/path?query`, the absolute form `http://authority/path?query`, and `*`.
    ///
    /// - Throws: a 400 for a fragment and for any other form.
    init(parsing target: String) throws(Problem) {
        var text = target[...]
        if text.utf8.first != UInt8(ascii: "/") {
            if target == "*" {
                self.path = target
                self.query = nil
                return
            }
            guard let origin = Self.originForm(ofAbsolute: text) else {
                throw .badRequest("The request target must begin with '/'.")
            }
            text = origin
        }
        let bytes = text.utf8
        guard !bytes.contains(UInt8(ascii: "#")) else {
            throw .badRequest("The request target must not hold a fragment; '#' in a key is written %23.")
        }
        if let mark = bytes.firstIndex(of: UInt8(ascii: "?")) {
            self.path = String(text[..<mark])
            self.query = String(text[bytes.index(after: mark)...])
        } else {
            self.path = text.count == target.count ? target : String(text)
            self.query = nil
        }
        // An absolute form may leave its path out.
        if self.path.isEmpty { self.path = "/" }
    }

    /// What follows the authority of an absolute form.
    private static func originForm(ofAbsolute text: Substring) -> Substring? {
        let scheme = text.utf8.prefix(7)
        guard ASCII.equal(scheme, "http://") else { return nil }
        let rest = text[scheme.endIndex...]
        guard let first = rest.utf8.first, first != UInt8(ascii: "/"), first != UInt8(ascii: "?") else { return nil }
        return rest.utf8.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }
            .map { rest[$0...] } ?? ""
    }
}
