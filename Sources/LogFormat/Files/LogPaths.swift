import DurableFiles

/// Names in the data folder.
package struct LogPaths: Sendable {
    package let directory: String

    static let lockName = "LOCK"
    package static let quarantineName = "quarantine"
    static let preparedSuffix = ".prepared"
    static let reserveName = "reserve"
    static let unfinishedSuffix = ReplacedFile.asideSuffix
    /// The file for the next manifest. It stays there, so that a manifest needs neither an inode nor a name.
    static let nextManifestName = Manifest.fileName + Self.unfinishedSuffix
    package static let importName = "kv.log"
    package static let importedName = "kv.log.imported"

    package init(directory: String) { self.directory = directory }

    package func path(_ name: String) -> String { "\(self.directory)/\(name)" }
    package var manifest: String { self.path(Manifest.fileName) }
    package var lock: String { self.path(Self.lockName) }
    package var reserve: String { self.path(Self.reserveName) }
    package var quarantine: String { self.path(Self.quarantineName) }
    package func segment(_ name: SegmentName) -> String { self.segment(name.file) }
    package func segment(_ name: SegmentFileName) -> String { self.path(name.description) }
    package func part(_ name: PartName) -> String { self.path(name.description) }
    /// A part of a snapshot while it is written.
    package func unfinished(_ name: PartName) -> String { self.part(name) + Self.unfinishedSuffix }
    /// A file while it is prepared to become a segment.
    package func unprepared(_ name: SegmentFileName) -> String { self.segment(name) + Self.preparedSuffix }
}
