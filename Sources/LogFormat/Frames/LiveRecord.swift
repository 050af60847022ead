/// One key with its value, as a view into the store's memory. Valid only during the call that receives it.
@safe public struct LiveRecord {
    /// The revision that set the value.
    public let revision: UInt64
    public let key: UnsafeRawBufferPointer
    public let value: UnsafeRawBufferPointer
    /// Milliseconds since 1970; 0 for never.
    public let expiresAt: UInt64

    public init(
        revision: UInt64, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, expiresAt: UInt64 = 0
    ) {
        self.revision = revision
        unsafe self.key = key
        unsafe self.value = value
        self.expiresAt = expiresAt
    }

    /// Bytes of a key and its value in the log, alone in a transaction, and the same in a snapshot: they count as live.
    public static func bytes(key: Int, value: Int, hasExpiry: Bool = false) -> Int {
        FrameBuilder.singleOperationBytes(key: key, value: value, hasExpiry: hasExpiry)
    }
}

/// A change of live bytes: bytes of a revision that become live, or no longer are.
public struct LiveChange: Sendable, Equatable {
    public let revision: UInt64
    public let bytes: Int

    public init(revision: UInt64, bytes: Int) {
        self.revision = revision
        self.bytes = bytes
    }
}

/// The record that an operation has replaced or removed: its revision, and the lengths of its key and value.
public struct ReplacedRecord: Sendable, Equatable {
    public let revision: UInt64
    public let bytes: Int

    public init(revision: UInt64, keyCount: Int, valueCount: Int, hasExpiry: Bool = false) {
        self.revision = revision
        self.bytes = LiveRecord.bytes(key: keyCount, value: valueCount, hasExpiry: hasExpiry)
    }
}
