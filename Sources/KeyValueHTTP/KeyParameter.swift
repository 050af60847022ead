public import HTTP1
public import HTTPServing
import NIOHTTP1

/// The key in the query of a request: `?key=…`, percent-decoded once, to bytes.
public enum KeyParameter {
    private static let parameters: [StaticString] = ["key"]
    private static let parametersOfSet: [StaticString] = ["key", "ttl_ms", "expires_at"]

    /// Which keys a request may name.
    public enum Acceptance: Sendable {
        /// Those that may be stored.
        case withinLimits
        /// Also keys above the limit that a store can contain: for a request for a key that may already be stored. Such
        /// a key is too large only if there is none.
        case stored
    }

    /// Calls `body` with the key of `request`, which is valid only during the call.
    ///
    /// `key` is the only query parameter allowed.
    /// - Parameter applied: the member `applied` of the problem: `.no` for requests that write, nil for reads.
    /// - Throws: 400 `key_missing`, `key_empty`, `key_too_large`; 403 `forbidden`; an error of ``QueryParameters``, or what `body` throws.
    public static func withKey<Result>(
        of request: HTTPRequest, _ acceptance: Acceptance, limits: KeyValueLimits, applied: Problem.Applied?,
        _ body: (UnsafeRawBufferPointer) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        try request.withQuery { (query) throws(Problem) in
            let places = try Self.places(of: Self.parameters, in: query, applied: applied)
            return try unsafe Self.withKey(places, in: query, acceptance, limits, applied) { (key) throws(Problem) in
                try unsafe request.checkAccess(to: key, applied: applied)
                return try unsafe body(key)
            }
        }
    }

    /// Calls `body` with the key and the expiry time of a set, `ttl_ms` or `expires_at`. As
    /// ``withKey(of:_:limits:applied:_:)``.
    /// - Throws: also 400 `bad_expiry`.
    static func withKey<Result>(
        ofSet request: HTTPRequest, limits: KeyValueLimits,
        _ body: (UnsafeRawBufferPointer, RequestedExpiry) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        try request.withQuery { (query) throws(Problem) in
            let places = try Self.places(of: Self.parametersOfSet, in: query, applied: .no)
            var expiry = RequestedExpiry.never
            if places[1] != nil || places[2] != nil {
                func sent(_ place: Range<Int>) -> RequestedExpiry.Sent { .init(query.extracting(place)) }
                expiry = try RequestedExpiry(ttl: places[1].map(sent), time: places[2].map(sent))
            }
            return try unsafe Self.withKey(places, in: query, .withinLimits, limits, .no) { (key) throws(Problem) in
                try unsafe request.checkAccess(to: key, applied: .no)
                return try unsafe body(key, expiry)
            }
        }
    }

    /// The key in the query of a request that was not checked; nil if there is none, or the query is not valid.
    public static func key(of request: HTTPRequest) -> [UInt8]? {
        request.withQuery { query in
            guard let places = try? QueryParameters.places(of: Self.parametersOfSet, in: query), let place = places[0]
            else { return nil }
            return PercentEncoding.decodeQueryComponent(query.extracting(place))
        }
    }

    private static func withKey<Result>(
        _ places: QueryParameters.Places, in query: Span<UInt8>, _ acceptance: Acceptance, _ limits: KeyValueLimits,
        _ applied: Problem.Applied?, _ body: (UnsafeRawBufferPointer) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        guard let place = places[0] else {
            throw Problem(
                .badRequest,
                code: "key_missing",
                detail: "The request has no key; add ?key=… with the key percent-encoded.",
                applied: applied
            )
        }
        let encoded = query.extracting(place)
        if Self.isEncoded(encoded), let decoded = PercentEncoding.decodeQueryComponent(encoded) {
            try Self.check(decoded.count, acceptance, limits, applied: applied)
            return try unsafe decoded.span.withUnsafeBytes { (key) throws(Problem) in try unsafe body(key) }
        }
        try Self.check(encoded.count, acceptance, limits, applied: applied)
        return try unsafe encoded.withUnsafeBytes { (key) throws(Problem) in try unsafe body(key) }
    }

    private static func places(
        of names: [StaticString], in query: Span<UInt8>, applied: Problem.Applied?
    ) throws(Problem) -> QueryParameters.Places {
        do throws(Problem) { return try QueryParameters.places(of: names, in: query) } catch {
            throw error.stating(applied: applied)
        }
    }

    private static func isEncoded(_ text: Span<UInt8>) -> Bool {
        for index in text.indices where text[index] == UInt8(ascii: "%") { return true }
        return false
    }

    private static func check(
        _ count: Int, _ acceptance: Acceptance, _ limits: KeyValueLimits, applied: Problem.Applied?
    ) throws(Problem) {
        if acceptance == .stored, (1...KeyValueLimits.longestStoredKeyBytes).contains(count) { return }
        try limits.check(keyBytes: count, applied: applied)
    }
}

extension Problem {
    /// The same problem with the member `applied`.
    func stating(applied: Applied?) -> Problem {
        var problem = self
        problem.applied = applied
        return problem
    }
}
