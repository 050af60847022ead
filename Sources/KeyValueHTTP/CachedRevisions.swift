import HTTP1
public import HTTPServing

/// The revisions of a value that a client already has: `If-None-Match` of a read (RFC 9110, section 13.1.2). If one of
/// them is the current one, the answer is 304 without the value.
public enum CachedRevisions: Sendable, Equatable {
    case none
    /// `*`: whatever the revision is.
    case any
    case these([UInt64])

    /// Call it before the action returns.
    ///
    /// Tags are compared weakly. Tags that are no revision are left out; a field that is malformed is ignored as a
    /// whole, and the client gets the value.
    public init(of request: HTTPRequest) {
        guard request.fields.ifNoneMatch.count > 0 else {
            self = .none
            return
        }
        var reader = Reader()
        request.headers.forEach { name, value in
            if ASCII.equal(name, "if-none-match") { reader.read(value) }
        }
        self = reader.result
    }

    public func contains(_ revision: UInt64) -> Bool {
        switch self {
        case .none: false
        case .any: true
        case .these(let revisions): revisions.contains(revision)
        }
    }

    /// Reads all fields of a request as one list.
    private struct Reader {
        private var revisions: [UInt64] = []
        private var elements = 0
        private var isAny = false
        private var isMalformed = false

        var result: CachedRevisions {
            if self.isMalformed || self.isAny && self.elements > 1 { return .none }
            return self.isAny ? .any : .these(self.revisions)
        }

        /// `#( "*" / [ "W/" ] DQUOTE *etagc DQUOTE )`, where elements may be empty.
        mutating func read(_ list: Span<UInt8>) {
            var index = 0
            while index < list.count {
                if ASCII.isBlank(list[index]) || list[index] == UInt8(ascii: ",") {
                    index += 1
                    continue
                }
                guard let end = self.readElement(list, at: index), Self.endsElement(list, at: end) else {
                    self.isMalformed = true
                    return
                }
                self.elements += 1
                index = end
            }
        }

        /// - Returns: where it ends; nil if it is malformed.
        private mutating func readElement(_ list: Span<UInt8>, at begin: Int) -> Int? {
            if list[begin] == UInt8(ascii: "*") {
                self.isAny = true
                return begin + 1
            }
            let isWeak =
                begin + 1 < list.count && list[begin] == UInt8(ascii: "W") && list[begin + 1] == UInt8(ascii: "/")
            let quote = isWeak ? begin + 2 : begin
            guard quote < list.count, list[quote] == UInt8(ascii: "\"") else { return nil }
            var end = quote + 1
            while end < list.count, list[end] != UInt8(ascii: "\"") {
                // Blanks are not allowed in a tag; control characters are in no field.
                if ASCII.isBlank(list[end]) { return nil }
                end += 1
            }
            guard end < list.count else { return nil }
            if let revision = EntityTag.revision(list.extracting(quote...end)) { self.revisions.append(revision) }
            return end + 1
        }

        /// Whether nothing or a comma follows, with blanks before it.
        private static func endsElement(_ list: Span<UInt8>, at end: Int) -> Bool {
            var index = end
            while index < list.count, ASCII.isBlank(list[index]) { index += 1 }
            return index == list.count || list[index] == UInt8(ascii: ",")
        }
    }
}
