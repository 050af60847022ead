import JSON

/// The elements of a page of keys, as they are written, and when the page is full.
struct KeysPage {
    private let limit: Int
    private let withValues: Bool
    private var count = 0
    /// Bytes of keys, and of values if the page has them.
    private var bytes = 0

    init(_ request: KeysRequest) {
        self.limit = request.limit
        self.withValues = request.wantsValues
    }

    var isFull: Bool { self.count == self.limit || self.bytes >= KeysRequest.maximumPageBytes }

    mutating func append(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, revision: UInt64, expiresAt: UInt64,
        to keys: inout JSONWriter
    ) {
        self.count += 1
        self.bytes += key.count + (self.withValues ? value.count : 0)
        keys.element(object: { record in
            unsafe record.member("key", "key_b64", bytes: key)
            if self.withValues { unsafe record.member("value", "value_b64", bytes: value) }
            record.member("revision", revision)
            if expiresAt != 0 { record.member("expires_at", expiresAt) }
        })
    }
}

extension JSONWriter {
    /// Bytes as a text if they are UTF-8, else in Base64 under another name.
    mutating func member(_ name: StaticString, _ encodedName: StaticString, bytes: UnsafeRawBufferPointer) {
        // The pointer is used only during this call.
        let text = unsafe bytes.bindMemory(to: UInt8.self).span
        if KeyValueAnswer.isUTF8(text) {
            self.memberUTF8(name, text)
        } else {
            self.member(encodedName, Base64.encode(unsafe Array(bytes)))
        }
    }
}

extension KeyValueLimits {
    /// Bytes of the largest document of a page of keys: each byte may be an escape of six, and stored keys may be longer
    /// than the limit is now.
    public var maxPageBytes: Int {
        6 * (KeysRequest.maximumPageBytes + Self.longestStoredKeyBytes + self.maxValueBytes) + 2
            * Self.longestStoredKeyBytes
            + 160 * (KeysRequest.maxLimit + 1)
    }
}
