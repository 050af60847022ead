public import Logging

/// Numbers in metadata. `"\(number)"` would be a string in log lines and documents.
extension Logger.MetadataValue {
    public static func number(_ value: some BinaryInteger & Sendable & CustomStringConvertible) -> Self {
        .stringConvertible(value)
    }

    /// Nanoseconds as seconds.
    public static func seconds(nanoseconds: UInt64) -> Self { .stringConvertible(Double(nanoseconds) / 1e9) }
}
