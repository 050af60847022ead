public import JSON

/// The results of a transaction's operations, and of a request for several keys, as elements of an array.
extension JSONWriter {
    /// `{"op":"set","revision":N}`.
    /// - Parameter expiresAt: milliseconds since 1970; 0 for never. Here and below.
    public mutating func elementSet(revision: UInt64, expiresAt: UInt64) {
        self.element(object: { object in
            object.member("op", "set")
            object.member("revision", revision)
            if expiresAt != 0 { object.member("expires_at", expiresAt) }
        })
    }

    /// `{"op":"delete","deleted":true,"revision":N}`; without a revision if the key did not exist.
    public mutating func elementDeleted(revision: UInt64?) {
        self.element(object: { object in
            object.member("op", "delete")
            object.member("deleted", revision != nil)
            if let revision { object.member("revision", revision) }
        })
    }

    /// `{"op":"get","found":true,"value":…,"revision":N}`; nil for a value that is not known any more.
    public mutating func elementGet(_ value: [UInt8]?, revision: UInt64, expiresAt: UInt64) {
        self.element(object: { object in
            object.member("op", "get")
            object.member("found", true)
            if let value { unsafe value.withUnsafeBytes { unsafe object.member("value", "value_b64", bytes: $0) } }
            object.member("revision", revision)
            if expiresAt != 0 { object.member("expires_at", expiresAt) }
        })
    }

    /// `{"op":"get","found":false}`.
    public mutating func elementGetMissing() {
        self.element(object: { object in
            object.member("op", "get")
            object.member("found", false)
        })
    }

    /// `{"key":…,"found":true,"value":…,"revision":N}`.
    public mutating func elementValue(
        _ key: [UInt8], _ value: UnsafeRawBufferPointer, revision: UInt64, expiresAt: UInt64
    ) {
        self.element(object: { object in
            unsafe key.withUnsafeBytes { unsafe object.member("key", "key_b64", bytes: $0) }
            object.member("found", true)
            unsafe object.member("value", "value_b64", bytes: value)
            object.member("revision", revision)
            if expiresAt != 0 { object.member("expires_at", expiresAt) }
        })
    }

    /// `{"key":…,"found":false}`.
    public mutating func elementMissing(_ key: [UInt8]) {
        self.element(object: { object in
            unsafe key.withUnsafeBytes { unsafe object.member("key", "key_b64", bytes: $0) }
            object.member("found", false)
        })
    }
}
