package import LogFormat

/// One segment as `/admin` and the tools show it.
package struct SegmentSummary: Sendable, Equatable {
    package var name: SegmentName
    /// Bytes that hold the header and frames.
    package var sizeBytes: UInt64
    package var lastRevision: UInt64
    package var sealed: Bool
    /// Bytes of records in it that still are the newest of their key.
    package var liveBytes: UInt64 = 0

    package init(name: SegmentName, sizeBytes: UInt64, lastRevision: UInt64, sealed: Bool) {
        self.name = name
        self.sizeBytes = sizeBytes
        self.lastRevision = lastRevision
        self.sealed = sealed
    }
}

/// One part of the snapshot as `/admin` and the tools show it.
package struct PartSummary: Sendable, Equatable {
    package var name: PartName
    package var sizeBytes: UInt64
    package var entries: UInt64
    /// As the manifest lists it.
    let listed: Manifest.Part

    init(_ part: Manifest.Part) {
        self.name = part.name
        self.sizeBytes = part.lengthBytes
        self.entries = part.entries
        self.listed = part
    }
}
