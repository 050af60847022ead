package import LogFormat

/// One segment as shown by `/admin` and the tools.
package struct SegmentSummary: Sendable, Equatable {
    package var name: SegmentName
    /// Bytes of the header and frames.
    package var sizeBytes: UInt64
    package var lastRevision: UInt64
    package var sealed: Bool
    /// Bytes of its live records.
    package var liveBytes: UInt64 = 0

    package init(name: SegmentName, sizeBytes: UInt64, lastRevision: UInt64, sealed: Bool) {
        self.name = name
        self.sizeBytes = sizeBytes
        self.lastRevision = lastRevision
        self.sealed = sealed
    }
}

/// One part of the snapshot as shown by `/admin` and the tools.
package struct PartSummary: Sendable, Equatable {
    package var name: PartName
    package var sizeBytes: UInt64
    package var entries: UInt64
    /// As listed by the manifest.
    let listed: Manifest.Part

    init(_ part: Manifest.Part) {
        self.name = part.name
        self.sizeBytes = part.lengthBytes
        self.entries = part.entries
        self.listed = part
    }
}
