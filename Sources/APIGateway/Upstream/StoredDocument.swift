import HTTP1

/// The document of a successful set, as kv-service writes it: `{"status":"ok","message":…,"revision":N}`.
///
/// Byte for byte this form is read in place. Any other may be valid too; ``FlatJSONObject`` decides about those.
enum StoredDocument {
    private static let beforeMessage: StaticString = #"{"status":"ok","message":""#
    private static let beforeRevision: StaticString = #"","revision":"#

    /// The revision; nil for any other form.
    static func revision(in document: Span<UInt8>) -> UInt64? {
        guard let message = self.end(of: self.beforeMessage, in: document, at: 0) else { return nil }
        var index = message
        while index < document.count, self.isPlain(document[index]) { index &+= 1 }
        guard let digits = self.end(of: self.beforeRevision, in: document, at: index) else { return nil }
        var revision: UInt64 = 0
        index = digits
        while index < document.count, case let digit = document[index] &- UInt8(ascii: "0"), digit <= 9 {
            // 19 digits are always below 2^64.
            guard index - digits < 19 else { return nil }
            revision = revision &* 10 &+ UInt64(digit)
            index &+= 1
        }
        guard index > digits, index - digits == 1 || document[digits] != UInt8(ascii: "0"),
            self.end(of: "}\n", in: document, at: index) == document.count
                || self.end(of: "}", in: document, at: index) == document.count
        else { return nil }
        return revision
    }

    /// Visible ASCII and spaces that stand for themselves in a string.
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// The offset after `text`; nil if the bytes at `begin` are others.
    @inline(__always)
    private static func end(of text: StaticString, in document: Span<UInt8>, at begin: Int) -> Int? {
        let rest = document.extracting(begin..<document.count)
        return ASCII.begins(rest, with: text) ? begin &+ text.utf8CodeUnitCount : nil
    }
}
