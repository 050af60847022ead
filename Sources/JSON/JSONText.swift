/// A string of a JSON text, checked: valid UTF-8, valid escapes.
public enum JSONText: Equatable, Sendable {
    /// Without escapes: the offsets of its bytes, between the quotes.
    case plain(Range<Int>)
    /// With escapes: its decoded bytes.
    case decoded([UInt8])
}
