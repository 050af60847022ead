/// One segment as `/admin` and the tools show it.
package struct SegmentSummary: Sendable, Equatable {
    package var name: SegmentName
    /// Bytes that hold the header and frames.
    package var sizeBytes: UInt64
    package var lastRevision: UInt64
    package var sealed: Bool
}
