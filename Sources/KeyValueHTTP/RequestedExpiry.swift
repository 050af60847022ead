import HTTP1
import NIOHTTP1

/// When a key is to expire, as a write says it: `ttl_ms`, or `expires_at` in milliseconds since 1970.
public enum RequestedExpiry: Sendable, Equatable {
    case never
    case after(milliseconds: UInt64)
    case at(milliseconds: UInt64)

    /// A hundred years.
    public static let maximumTTLMilliseconds: UInt64 = 3_155_760_000_000
    /// In the year 5138.
    public static let maximumTimeMilliseconds: UInt64 = 99_999_999_999_999

    /// - Parameters:
    ///   - ttl: the digits of `ttl_ms`, or nil; likewise `time`.
    ///   - isNull: whether one of the two is there, though not as digits.
    /// - Throws: 400 `bad_expiry`.
    init(ttl: [UInt8]?, time: [UInt8]?, isNull: Bool = false) throws(Problem) {
        switch (ttl, time) {
        case (nil, nil):
            if isNull { throw Self.bad("ttl_ms and expires_at are numbers.") }
            self = .never
        case (let ttl?, nil):
            guard let milliseconds = Self.number(ttl, to: Self.maximumTTLMilliseconds) else {
                throw Self.bad(
                    "ttl_ms must be a number from 1 to \(Self.maximumTTLMilliseconds), without a leading zero.")
            }
            self = .after(milliseconds: milliseconds)
        case (nil, let time?):
            guard let milliseconds = Self.number(time, to: Self.maximumTimeMilliseconds) else {
                throw Self.bad(
                    """
                    expires_at must be a time in milliseconds since 1970, from 1 to \(Self.maximumTimeMilliseconds), \
                    without a leading zero.
                    """)
            }
            self = .at(milliseconds: milliseconds)
        case (_?, _?): throw Self.bad("A key has one expiry time; send ttl_ms or expires_at, not both.")
        }
    }

    private static func number(_ digits: [UInt8], to maximum: UInt64) -> UInt64? {
        guard let number = EntityTag.number(digits.span), number <= maximum else { return nil }
        return number
    }

    static func bad(_ detail: String) -> Problem {
        Problem(.badRequest, code: "bad_expiry", detail: detail, applied: .no)
    }
}
