public import HTTP1
public import HTTPServing
import JSON
import NIOHTTP1

/// A request for keys: `prefix`, or `start` and `end`; `limit`, `reverse`, `values`, `count`, and `cursor` for the next
/// page.
public struct KeysRequest: Sendable, Equatable {
    public static let maxLimit = 1_000
    public static let defaultLimit = 100
    /// A page ends with the record that reaches it, so that no page with values is much larger.
    public static let maximumPageBytes = 1 << 18
    private static let parameters: [StaticString] = [
        "prefix", "start", "end", "limit", "reverse", "values", "count", "cursor",
    ]

    /// The first key of the range, if it is there.
    public private(set) var start: [UInt8] = []
    /// The first key behind the range; nil if it ends with the last key.
    public private(set) var end: [UInt8]?
    /// From the last key to the first one.
    public private(set) var isReversed = false
    /// 1 to ``maxLimit``.
    public private(set) var limit = KeysRequest.defaultLimit
    /// Whether the answer contains the values.
    public private(set) var wantsValues = false
    /// Whether the answer contains the number of keys in the whole range.
    public private(set) var wantsCount = false
    /// Where the page before ended; nil for the first page.
    public private(set) var cursor: KeysCursor?

    /// - Throws: 400 `bad_query`, `bad_cursor`, errors of ``QueryParameters``; 403 `forbidden`.
    public init(of request: HTTPRequest) throws(Problem) {
        try self.init(query: request.query)
        try request.checkAccess(from: self.start, to: self.end)
    }

    init(query: String?) throws(Problem) {
        let query = try QueryParameters(query, allowed: Self.parameters)
        if let prefix = query.bytes("prefix") {
            guard query.bytes("start") == nil, query.bytes("end") == nil else {
                throw Self.badQuery("The query has a prefix and a range; send prefix, or start and end.")
            }
            self.start = prefix
            self.end = Self.end(ofPrefix: prefix)
        } else {
            self.start = query.bytes("start") ?? []
            self.end = query.bytes("end")
        }
        if let digits = query.bytes("limit") {
            guard digits.count <= 4, digits.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
                let limit = Int(String(decoding: digits, as: UTF8.self)), 1...Self.maxLimit ~= limit
            else { throw Self.badQuery("limit must be a number from 1 to \(Self.maxLimit).") }
            self.limit = limit
        }
        self.isReversed = try query.flag("reverse")
        self.wantsValues = try query.flag("values")
        self.wantsCount = try query.flag("count")
        if let text = query.bytes("cursor") {
            guard let cursor = KeysCursor(text) else { throw KeysCursor.problem }
            self.cursor = cursor
        }
    }

    /// The first key behind all keys that begin with `prefix`; nil if there is none.
    public static func end(ofPrefix prefix: [UInt8]) -> [UInt8]? {
        guard let last = prefix.lastIndex(where: { $0 != 0xFF }) else { return nil }
        return prefix[..<last] + [prefix[last] + 1]
    }

    private static func badQuery(_ detail: String) -> Problem {
        Problem(.badRequest, code: "bad_query", detail: detail)
    }
}

extension KeysRequest {
    /// The range of the page, once its cursor is known to be one of this query.
    /// - Parameter store: the identity of the store, which cursors of another store do not have.
    /// - Throws: 400 `bad_cursor`.
    public func page(ofStore store: (high: UInt64, low: UInt64)) throws(Problem) -> (start: [UInt8], end: [UInt8]?) {
        guard let cursor = self.cursor else { return (self.start, self.end) }
        guard cursor.query == self.digest(store) else { throw KeysCursor.problem }
        // A cursor can be made up: it never leads out of the range, which is what the client's access key permits.
        if self.isReversed { return (self.start, self.end.map { Self.earlier($0, cursor.key) } ?? cursor.key) }
        // Behind a key, there is none before that key and a zero.
        let next = cursor.key + [0]
        return (next.lexicographicallyPrecedes(self.start) ? self.start : next, self.end)
    }

    private static func earlier(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        right.lexicographicallyPrecedes(left) ? right : left
    }

    /// The cursor of the page behind one that ended with `key`.
    public func cursor(behind key: [UInt8], ofStore store: (high: UInt64, low: UInt64)) -> KeysCursor {
        KeysCursor(query: self.digest(store), key: key)
    }

    /// Tells this query and store from others, by mistake but not by intent: FNV-1a of 64 bits.
    private func digest(_ store: (high: UInt64, low: UInt64)) -> UInt64 {
        var digest: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ bytes: some Sequence<UInt8>) {
            for byte in bytes { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3 }
        }
        func add(_ number: UInt64) { add((0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }) }
        add(store.high)
        add(store.low)
        add(UInt64(self.start.count))
        add(self.start)
        add((self.isReversed ? 1 : 0) + (self.end == nil ? 0 : 2))
        add(self.end ?? [])
        return digest
    }
}

/// Where a page of keys ended. Its text means nothing to clients.
public struct KeysCursor: Sendable, Equatable {
    private static let version: UInt8 = 1

    let query: UInt64
    let key: [UInt8]

    init(query: UInt64, key: [UInt8]) {
        self.query = query
        self.key = key
    }

    /// - Returns: nil if it is not the text of a cursor.
    init?(_ text: [UInt8]) {
        guard let bytes = Base64.decodeForURL(text), bytes.count > 9, bytes[0] == Self.version else { return nil }
        self.query = bytes[1..<9].reduce(0) { $0 << 8 | UInt64($1) }
        self.key = Array(bytes[9...])
    }

    /// Letters, digits, `-` and `_`.
    public var text: String {
        let query = (0..<8).map { UInt8(truncatingIfNeeded: self.query >> (56 - 8 * $0)) }
        return Base64.encodeForURL([Self.version] + query + self.key)
    }

    static let problem = Problem(
        .badRequest, code: "bad_cursor",
        detail: "The cursor is not one of this query and this store; send the query that it was an answer to, or begin "
            + "again without a cursor.")
}
