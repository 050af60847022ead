import NIOHTTP1

/// The sizes of keys and values that a service takes.
package struct KeyValueLimits: Sendable, Equatable {
    /// The longest key, in bytes; the shortest is 1.
    package let maxKeyBytes: Int
    /// The longest value, in bytes; an empty value is a value.
    package let maxValueBytes: Int

    package init(maxKeyBytes: Int = 1024, maxValueBytes: Int = 65536) {
        precondition(maxKeyBytes > 0 && maxValueBytes >= 0)
        self.maxKeyBytes = maxKeyBytes
        self.maxValueBytes = maxValueBytes
    }

    /// The longest body of a set request, in bytes: JSON may spell each byte of a key and a value as `\u00XX`, six
    /// bytes, and every legal key and value must fit.
    package var maxSetBodyBytes: Int {
        6 * (self.maxKeyBytes + self.maxValueBytes) + 1024
    }
}

extension KeyValueLimits {
    func check(key: some Collection<UInt8>, applied: Problem.Applied?) throws(Problem) {
        let count = key.count
        if count == 0 {
            throw Problem(
                .badRequest,
                code: "key_empty",
                detail: "The key is empty; a key has 1 to \(self.maxKeyBytes) bytes.",
                applied: applied
            )
        }
        if count > self.maxKeyBytes {
            throw Problem(
                .badRequest,
                code: "key_too_large",
                detail: "The key has \(count) bytes; a key has 1 to \(self.maxKeyBytes) bytes.",
                applied: applied
            )
        }
    }

    func check(valueBytes count: Int) throws(Problem) {
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
