/// A JSON value that holds no other values.
package enum JSONScalar: Equatable, Sendable {
    /// The decoded text as UTF-8 bytes: valid, and compared as bytes, never as characters.
    case string([UInt8])
    /// The number as written: how it is rounded is the reader's decision.
    case number(String)
    case bool(Bool)
    case null
}
