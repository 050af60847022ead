public import HTTP1
import NIOHTTP1

/// The sizes of keys and values that a service accepts.
public struct KeyValueLimits: Sendable, Equatable {
    /// Maximum length of a key in bytes; the minimum is 1.
    public let maxKeyBytes: Int
    /// Maximum length of a value in bytes; an empty value is a value.
    public let maxValueBytes: Int

    /// Maximum length of a key in a store, independent of its current limit: an import or an earlier limit may have
    /// allowed it.
    static let longestStoredKeyBytes = Int(UInt16.max)

    /// The longest request target that contains a key: each byte may be percent-encoded with three characters.
    public static let longestTargetBytes = 3 * Self.longestStoredKeyBytes + 64

    public init(maxKeyBytes: Int = 1024, maxValueBytes: Int = 65536) {
        precondition(maxKeyBytes > 0 && maxValueBytes >= 0)
        self.maxKeyBytes = maxKeyBytes
        self.maxValueBytes = maxValueBytes
    }

    /// Maximum body of a set request in bytes: JSON may write each byte of a key and a value as `\u00XX`, six bytes,
    /// and every valid key and value must fit.
    public var maxSetBodyBytes: Int {
        6 * (self.maxKeyBytes + self.maxValueBytes) + 1024
    }
}

extension KeyValueLimits {
    public func check(keyBytes count: Int, applied: Problem.Applied?) throws(Problem) {
        if count == 0 {
            throw Problem(
                .badRequest,
                code: "key_empty",
                detail: "The key is empty; a key has 1 to \(self.maxKeyBytes) bytes.",
                applied: applied
            )
        }
        if let problem = self.keyTooLarge(bytes: count, applied: applied) { throw problem }
    }

    /// 400 `key_too_large`, nil for a key within the limit.
    public func keyTooLarge(bytes count: Int, applied: Problem.Applied?) -> Problem? {
        guard count > self.maxKeyBytes else { return nil }
        return Problem(
            .badRequest,
            code: "key_too_large",
            detail: "The key has \(count) bytes; a key has 1 to \(self.maxKeyBytes) bytes.",
            applied: applied
        )
    }

    public func check(valueBytes count: Int) throws(Problem) {
        if count > self.maxValueBytes {
            throw Problem(
                .payloadTooLarge,
                code: "value_too_large",
                detail: "The value has \(count) bytes; a value has at most \(self.maxValueBytes) bytes.",
                applied: .no
            )
        }
    }
}
