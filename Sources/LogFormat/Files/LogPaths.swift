import DurableFiles

/// Names in the data folder.
public struct LogPaths: Sendable {
    public let directory: String

    public static let lockName = "LOCK"
    public static let quarantineName = "quarantine"
    static let preparedSuffix = ".prepared"
    static let reserveName = "reserve"
    static let unfinishedSuffix = ReplacedFile.asideSuffix
    /// The file for the next manifest. It stays there, so that a manifest needs neither an inode nor a name.
    static let nextManifestName = Manifest.fileName + Self.unfinishedSuffix
    public static let importName = "kv.log"
    public static let importedName = "kv.log.imported"

    public init(directory: String) { self.directory = directory }

    public func path(_ name: String) -> String { "\(self.directory)/\(name)" }
    public var manifest: String { self.path(Manifest.fileName) }
    public var lock: String { self.path(Self.lockName) }
    public var reserve: String { self.path(Self.reserveName) }
    public var quarantine: String { self.path(Self.quarantineName) }
    public func segment(_ name: SegmentName) -> String { self.segment(name.file) }
    public func segment(_ name: SegmentFileName) -> String { self.path(name.description) }
    public func part(_ name: PartName) -> String { self.path(name.description) }
    /// A part of a snapshot while it is written.
    public func unfinished(_ name: PartName) -> String { self.part(name) + Self.unfinishedSuffix }
    /// A file while it is prepared to become a segment.
    public func unprepared(_ name: SegmentFileName) -> String { self.segment(name) + Self.preparedSuffix }
}
