import JSON

extension TraceContext {
    /// The content of a `traceparent` header, before this service adds its own span.
    public struct Received: Equatable {
        let traceHigh: UInt64
        let traceLow: UInt64
        public let parentSpan: UInt64
        public let flags: UInt8

        /// Parses a header value by the rules of the standard: `00-<32 hex>-<16 hex>-<2 hex>`, lowercase, ids not all
        /// zero. For a version above 00 the first 55 characters are parsed, which must be followed by the end or a `-`.
        ///
        /// - Returns: nil for any other text; then a new trace begins.
        public init?(parsing text: Span<UInt8>) {
            guard text.count >= 55, text[2] == UInt8(ascii: "-"), text[35] == UInt8(ascii: "-"),
                text[52] == UInt8(ascii: "-"), let version = HexDigits.value(of: text.extracting(0..<2)),
                let high = HexDigits.value(of: text.extracting(3..<19)),
                let low = HexDigits.value(of: text.extracting(19..<35)),
                let parent = HexDigits.value(of: text.extracting(36..<52)),
                let flags = HexDigits.value(of: text.extracting(53..<55))
            else { return nil }
            guard high | low != 0, parent != 0, version != 0xFF else { return nil }
            if version == 0 {
                guard text.count == 55 else { return nil }
            } else {
                guard text.count == 55 || text[55] == UInt8(ascii: "-") else { return nil }
            }
            self.traceHigh = high
            self.traceLow = low
            self.parentSpan = parent
            // Only `sampled` is known to this service; other bits must not be forwarded.
            self.flags = UInt8(flags) & 1
        }
    }

    /// Maximum length of a forwarded `tracestate` in bytes: the minimum that the standard requires.
    static let maximumStateBytes = 512

    /// The `tracestate` to forward: visible ASCII and spaces of limited length; nil otherwise.
    public static func acceptedState(_ value: String) -> String? {
        let text = value.utf8
        guard !text.isEmpty, text.count <= self.maximumStateBytes,
            text.allSatisfy({ ($0 >= 0x20 && $0 < 0x7F) || $0 == UInt8(ascii: "\t") })
        else { return nil }
        return value
    }
}
