import JSON

/// The elements of a page of keys, as they are written.
public struct KeysPage {
    /// A page ends with the record that reaches it, so that no page with values is much larger.
    public static let maxBytes = 1 << 18

    /// Room for a page of records within the limits, each byte written as an escape of six.
    public static func largestDocumentBytes(_ limits: KeyValueLimits) -> Int {
        6 * (self.maxBytes + limits.maxKeyBytes + limits.maxValueBytes) + 128 * (KeysRequest.maxLimit + 1)
            + 6 * limits.maxKeyBytes
    }

    /// Records so far.
    public private(set) var count = 0
    /// Bytes of their keys, and of their values if the page has them.
    public private(set) var bytes = 0
    private let withValues: Bool
    private(set) var writer: JSONWriter

    init(withValues: Bool, writer: JSONWriter) {
        self.withValues = withValues
        self.writer = writer
    }

    public mutating func append(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, revision: UInt64) {
        self.count += 1
        self.bytes += key.count + (self.withValues ? value.count : 0)
        let withValues = self.withValues
        self.writer.element(object: { record in
            unsafe Self.member("key", "key_b64", key, &record)
            if withValues { unsafe Self.member("value", "value_b64", value, &record) }
            record.member("revision", revision)
        })
    }

    private static func member(
        _ name: StaticString, _ encodedName: StaticString, _ bytes: UnsafeRawBufferPointer, _ record: inout JSONWriter
    ) {
        // The pointer is used only during this call.
        let text = unsafe bytes.bindMemory(to: UInt8.self).span
        if KeyValueAnswer.isUTF8(text) {
            record.memberUTF8(name, text)
        } else {
            record.member(encodedName, Base64.encode(unsafe Array(bytes)))
        }
    }
}
