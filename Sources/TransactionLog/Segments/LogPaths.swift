/// Names in the data folder.
struct LogPaths: Sendable {
    let directory: String

    static let lockName = "LOCK"
    static let quarantineName = "quarantine"
    static let preparedSuffix = ".prepared"
    static let reserveName = "reserve"
    static let unfinishedSuffix = ".tmp"
    /// The file for the next manifest. It stays there, so that a manifest needs neither an inode nor a name.
    static let nextManifestName = Manifest.fileName + Self.unfinishedSuffix
    static let importName = "kv.log"
    static let importedName = "kv.log.imported"

    func path(_ name: String) -> String { "\(self.directory)/\(name)" }
    var manifest: String { self.path(Manifest.fileName) }
    var lock: String { self.path(Self.lockName) }
    var reserve: String { self.path(Self.reserveName) }
    var quarantine: String { self.path(Self.quarantineName) }
    func segment(_ name: SegmentName) -> String { self.segment(name.file) }
    func segment(_ name: SegmentFileName) -> String { self.path(name.description) }
    func part(_ name: PartName) -> String { self.path(name.description) }
    /// A part of a snapshot while it is written.
    func unfinished(_ name: PartName) -> String { self.part(name) + Self.unfinishedSuffix }
    /// A file while it is prepared to become a segment.
    func unprepared(_ name: SegmentFileName) -> String { self.segment(name) + Self.preparedSuffix }
}
