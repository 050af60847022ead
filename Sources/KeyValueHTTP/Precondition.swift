public import HTTP1
public import HTTPServing
import NIOHTTP1

/// The condition under which a set or delete is carried out.
public enum Precondition: Sendable, Equatable {
    case none
    /// `If-Match: *`: the key exists.
    case exists
    /// `If-None-Match: *` or `"if_absent":true`: the key does not exist.
    case absent
    /// `If-Match: "N"` or `"if_revision":N`: the key exists with this revision, which is not 0.
    case revision(UInt64)

    /// The condition in the header fields of a set or delete. Call it before the action returns.
    /// - Throws: 400 `bad_precondition` for anything but one of the three fields.
    public init(ofWrite request: HTTPRequest) throws(Problem) {
        let (match, noneMatch) = (request.fields.ifMatch, request.fields.ifNoneMatch)
        switch (match.count, noneMatch.count) {
        case (0, 0): self = .none
        case (1, 0): self = try request.withValue(match.value) { (value) throws(Problem) in try Self(ifMatch: value) }
        case (0, 1):
            self = try request.withValue(noneMatch.value) { (value) throws(Problem) in try Self(ifNoneMatch: value) }
        default:
            throw Self.bad("A write has at most one condition; send one If-Match or one If-None-Match field.")
        }
    }

    private init(ifMatch value: Span<UInt8>) throws(Problem) {
        if ASCII.identical(value, "*") {
            self = .exists
        } else if let revision = EntityTag.revision(value) {
            self = .revision(revision)
        } else {
            throw Self.bad(
                "If-Match must be * or one revision as an entity tag, such as \"5\": no list, no W/, no leading zero.")
        }
    }

    private init(ifNoneMatch value: Span<UInt8>) throws(Problem) {
        guard ASCII.identical(value, "*") else {
            throw Self.bad("If-None-Match must be * for a write; to write over a known revision, send If-Match.")
        }
        self = .absent
    }

    /// Whether a key with this revision meets it; nil for a key that does not exist.
    public func isMet(by revision: UInt64?) -> Bool {
        switch self {
        case .none: true
        case .exists: revision != nil
        case .absent: revision == nil
        case .revision(let wanted): revision == wanted
        }
    }

    static let badRevision =
        "if_revision must be a revision: a number of digits alone, from 1 to 18446744073709551615."
    static let badAbsence = "if_absent must be true; leave it out for a set without a condition."

    static func bad(_ detail: String) -> Problem {
        Problem(.badRequest, code: "bad_precondition", detail: detail, applied: .no)
    }
}

/// The revision of a key as an entity tag: `"N"`.
enum EntityTag {
    /// `N` of `"N"`: 1 to 2⁶⁴ - 1, without a leading zero. Nil for any other text.
    static func revision(_ text: Span<UInt8>) -> UInt64? {
        guard text.count >= 3, text[0] == UInt8(ascii: "\""), text[text.count - 1] == UInt8(ascii: "\"") else {
            return nil
        }
        return self.number(text.extracting(1..<text.count - 1))
    }

    /// Digits as a revision: 1 to 2⁶⁴ - 1, without a leading zero. Nil for any other text.
    static func number(_ digits: Span<UInt8>) -> UInt64? {
        guard !digits.isEmpty, digits[0] != UInt8(ascii: "0") else { return nil }
        return ASCII.unsigned(digits)
    }
}
