public import LogFormat

/// One segment as shown by `/admin` and the tools.
public struct SegmentSummary: Sendable, Equatable {
    public var name: SegmentName
    /// Bytes of the header and frames.
    public var sizeBytes: UInt64
    public var lastRevision: UInt64
    public var sealed: Bool
    /// Bytes of its live records.
    public var liveBytes: UInt64 = 0

    public init(name: SegmentName, sizeBytes: UInt64, lastRevision: UInt64, sealed: Bool) {
        self.name = name
        self.sizeBytes = sizeBytes
        self.lastRevision = lastRevision
        self.sealed = sealed
    }
}

/// One part of the snapshot as shown by `/admin` and the tools.
public struct PartSummary: Sendable, Equatable {
    public var name: PartName
    public var sizeBytes: UInt64
    public var entries: UInt64
    /// As listed by the manifest.
    let listed: Manifest.Part

    init(_ part: Manifest.Part) {
        self.name = part.name
        self.sizeBytes = part.lengthBytes
        self.entries = part.entries
        self.listed = part
    }
}
