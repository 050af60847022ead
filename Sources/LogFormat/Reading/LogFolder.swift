/// The content of a data folder, determined by the names in it and, if a name is not enough, by the files' headers.
public struct LogFolder {
    /// Files with the name of a segment, in the order of the log, which is the order of the names.
    public private(set) var segmentFiles: [SegmentFileName] = []
    /// Those that are segments, determined by ``LogReader/tellSegments(in:_:)``.
    public var segments: [SegmentName] = []
    /// The others, which are prepared: zeros that will become the next segments.
    public var prepared: [SegmentFileName] = []
    public var parts: [PartName] = []
    public var hasManifest = false
    public var hasImport = false
    /// Leftovers of work that a crash interrupted: they are ignored, and the next start removes them.
    public var unfinished: [String] = []
    /// Names that do not belong to the log.
    public var unknown: [String] = []

    public init(names: [String]) {
        for name in names.sorted() {
            if let segment = SegmentFileName(name) {
                self.segmentFiles.append(segment)
            } else if let part = PartName(name) {
                self.parts.append(part)
            } else if name == Manifest.fileName {
                self.hasManifest = true
            } else if name == LogPaths.importName {
                self.hasImport = true
            } else if Self.isUnfinished(name) {
                self.unfinished.append(name)
            } else if !Self.otherNames.contains(name) {
                self.unknown.append(name)
            }
        }
    }

    private static let otherNames = [
        LogPaths.lockName, LogPaths.quarantineName, LogPaths.importedName, LogPaths.reserveName,
        LogPaths.nextManifestName,
    ]

    private static func isUnfinished(_ name: String) -> Bool {
        name.hasSuffix(LogPaths.preparedSuffix) || name.hasSuffix(PartName.suffix + LogPaths.unfinishedSuffix)
    }

    /// The segments of the log from the first to the last: the listed ones, and one more that was begun just before a
    /// crash, or while there was no space for a manifest.
    public func segmentNames(of manifest: Manifest) -> [SegmentName] {
        let next = manifest.active.sequence + 1
        return manifest.sealed.map(\.name) + [manifest.active] + self.segments.filter { $0.sequence == next }.prefix(1)
    }

    /// Compares existing files with required files.
    public func presence(of names: [SegmentName], _ manifest: Manifest) -> Presence {
        var presence = Presence()
        presence.missingSegments = names.filter { !self.segments.contains($0) }
        presence.missingParts = manifest.parts.map(\.name).filter { !self.parts.contains($0) }
        let others = self.segments.filter { !names.contains($0) }
        presence.replacedSegments = others.filter { $0.sequence <= manifest.base.sequence }
        presence.unexpectedSegments = others.filter { $0.sequence > manifest.base.sequence }
        let listed = Set(manifest.parts.map(\.name))
        presence.unlistedParts = self.parts.filter { !listed.contains($0) }
        return presence
    }

    public struct Presence {
        var missingSegments: [SegmentName] = []
        var missingParts: [PartName] = []
        /// Not part of this log.
        public var unexpectedSegments: [SegmentName] = []
        /// Segments that the snapshot has replaced, and parts that are not listed: leftovers of a crash, which the
        /// start removes.
        public var replacedSegments: [SegmentName] = []
        public var unlistedParts: [PartName] = []

        /// Problems for which a start refuses the folder.
        public var problems: [Corruption] {
            self.missingSegments.map { Self.problem($0.description, .missingSegment(sequence: $0.sequence)) }
                + self.missingParts.map { Self.problem($0.description, .missingPart) }
                + self.unexpectedSegments.map {
                    Self.problem($0.description, .unexpectedSegment(sequence: $0.sequence))
                }
        }

        private static func problem(_ file: String, _ reason: Corruption.Reason) -> Corruption {
            Corruption(file: file, offset: 0, lastGoodRevision: 0, reason: reason)
        }
    }
}
