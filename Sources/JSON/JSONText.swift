/// A string of a JSON text, checked: valid UTF-8, valid escapes. Its bytes are those of the tokenizer that has read it.
public struct JSONText: Sendable {
    /// Between the quotes, or, for a string with escapes, among the tokenizer's decoded bytes.
    @usableFromInline let range: Range<Int>
    @usableFromInline let isDecoded: Bool

    /// The empty string.
    public static let empty = JSONText(range: 0..<0, isDecoded: false)
}
