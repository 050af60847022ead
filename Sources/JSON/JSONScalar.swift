/// A JSON value that contains no other values.
public enum JSONScalar: Equatable, Sendable {
    /// The decoded text as valid UTF-8 bytes, compared as bytes, never as characters.
    case string([UInt8])
    /// The number as written: the caller decides about rounding.
    case number(String)
    case bool(Bool)
    case null
}
