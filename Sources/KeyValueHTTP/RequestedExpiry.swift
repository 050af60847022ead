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

    /// A member or parameter as it was sent.
    enum Sent: BitwiseCopyable, Equatable {
        case number(UInt64)
        /// A number, but not one of digits alone, without a leading zero, from 1 to 2⁶⁴ - 1.
        case malformed
        case notANumber

        init(_ digits: Span<UInt8>) {
            self = if let number = EntityTag.number(digits) { .number(number) } else { .malformed }
        }

        /// - Throws: 400 `bad_expiry`.
        fileprivate func upTo(_ maximum: UInt64, _ detail: @autoclosure () -> String) throws(Problem) -> UInt64 {
            if self == .notANumber { throw RequestedExpiry.bad("ttl_ms and expires_at are numbers.") }
            guard case .number(let number) = self, number <= maximum else { throw RequestedExpiry.bad(detail()) }
            return number
        }
    }

    /// - Parameter ttl: `ttl_ms`, nil if it was not sent; likewise `time`, `expires_at`.
    /// - Throws: 400 `bad_expiry`.
    init(ttl: Sent?, time: Sent?) throws(Problem) {
        switch (ttl, time) {
        case (nil, nil): self = .never
        case (let ttl?, nil):
            self = .after(
                milliseconds: try ttl.upTo(
                    Self.maximumTTLMilliseconds,
                    "ttl_ms must be a number from 1 to \(Self.maximumTTLMilliseconds), without a leading zero."))
        case (nil, let time?):
            self = .at(
                milliseconds: try time.upTo(
                    Self.maximumTimeMilliseconds,
                    """
                    expires_at must be a time in milliseconds since 1970, from 1 to \(Self.maximumTimeMilliseconds), \
                    without a leading zero.
                    """))
        case (_?, _?): throw Self.bad("A key has one expiry time; send ttl_ms or expires_at, not both.")
        }
    }

    static func bad(_ detail: String) -> Problem {
        Problem(.badRequest, code: "bad_expiry", detail: detail, applied: .no)
    }
}
