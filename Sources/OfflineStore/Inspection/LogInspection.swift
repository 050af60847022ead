public import LogFormat
public import TransactionLog

/// The content and the damage of a log folder, as found by ``LogInspector``.
public struct LogInspection: Sendable {
    /// The kind of the folder.
    public enum State: Sendable, Equatable {
        /// A store, intact or damaged.
        case store
        /// There is no log; a start would create a store.
        case empty
        /// A `kv.log` of the Go system that the next start will import.
        case importPending
    }

    public struct Segment: Sendable {
        public let name: SegmentName
        /// Nil if the header is damaged, or the file is missing.
        public internal(set) var header: SegmentHeader?
        /// Bytes of the header and intact frames.
        public internal(set) var sizeBytes: UInt64 = 0
        /// Whether the file exists.
        public internal(set) var isThere = false
        public internal(set) var fileBytes: UInt64 = 0
        /// The newest revision up to ``sizeBytes``; one less than the first if there is none.
        public internal(set) var lastRevision: UInt64
        public internal(set) var operations: UInt64 = 0
        /// The segment's entry in the manifest, if it ends with its seal.
        public internal(set) var sealed: Manifest.Sealed?
        public internal(set) var damage: Corruption?
        /// The newest revision in headers of frames behind the damage.
        public internal(set) var lostRevision: UInt64?
        /// Intact frames with transactions behind the damage.
        public internal(set) var framesBehindDamage = 0
        /// Whether bytes that are not an intact frame follow all others: their revisions are unknown.
        public internal(set) var endIsDamaged = false

        init(_ name: SegmentName) {
            self.name = name
            self.lastRevision = name.firstRevision - 1
        }
    }

    public struct Part: Sendable {
        public let name: PartName
        /// Intact entries.
        public internal(set) var entries: UInt64 = 0
        /// Number of its entries in the manifest.
        public internal(set) var listedEntries: UInt64?
        public internal(set) var isThere = false
        public internal(set) var fileBytes: UInt64 = 0
        /// The part as listed by a manifest, if it is intact.
        public internal(set) var found: Manifest.Part?
        public internal(set) var damage: Corruption?
        /// Entries in intact frames behind the damage.
        public internal(set) var entriesBehindDamage: UInt64 = 0
    }

    public struct TornTail: Sendable, Equatable {
        public let file: String
        public let offset: UInt64
        public let bytes: UInt64
    }

    public internal(set) var state = State.store
    /// Nil if it is missing or damaged.
    public internal(set) var manifest: Manifest?
    public internal(set) var storeID: StoreID?
    /// In the order of the log.
    public internal(set) var segments: [Segment] = []
    public internal(set) var parts: [Part] = []
    /// Damage for which a start refuses the folder, in the order of its detection.
    public internal(set) var damage: [Corruption] = []
    /// Set if a newer version wrote the folder: then nothing else is known.
    public internal(set) var unsupported: String?
    public internal(set) var tornTail: TornTail?
    /// The log was truncated after its clean stop. A start reports that, and continues.
    public internal(set) var lostEnd: RecoveryReport.LostEnd?
    /// The last segment is shorter than when it was created. A start reports that, and continues.
    public internal(set) var cutFile: RecoveryReport.CutFile?
    public internal(set) var wasCleanShutdown = false
    /// Segments that do not belong to this log.
    public internal(set) var unexpectedSegments: [SegmentName] = []
    /// Files that the next start removes: unfinished work of a crash, and files that a snapshot has replaced.
    public internal(set) var leftovers: [String] = []
    /// Files of zeros that are prepared to become the next segments.
    public internal(set) var prepared: [String] = []
    /// Files that do not belong to the log.
    public internal(set) var unknownFiles: [String] = []
    /// Bytes and live bytes of each file; live bytes only if the inspector's caller reported replaced records.
    public internal(set) var space = LogSpace()
    public internal(set) var bytesRead: UInt64 = 0
    /// The revisions in the intact frames of the segments, including those behind damage.
    public internal(set) var coverage = RevisionCoverage()

    public var firstRevision: UInt64 { self.segments.first?.name.firstRevision ?? 1 }
    public var lastRevision: UInt64 { self.segments.map(\.lastRevision).max() ?? 0 }
    public var isDamaged: Bool {
        !self.damage.isEmpty || self.unsupported != nil || self.lostEnd != nil || self.cutFile != nil
    }

    /// The size for the next segment: that of the existing ones, or the default.
    public var usualSegmentBytes: Int {
        let largest = self.segments.map { Int($0.fileBytes) }.max() ?? 0
        return largest > SegmentHeader.byteCount ? largest : LogConfiguration.defaultSegmentBytes
    }

    /// The sync mode when the last segment was created, as in the flag: `interval` without its time.
    public var syncMode: String? { self.segments.last?.header?.syncModeName }
}

extension SegmentHeader {
    public var syncModeName: String {
        switch self.syncModeCode {
        case 0: "always"
        case 1: "interval"
        case 2: "never"
        default: "unknown (\(self.syncModeCode))"
        }
    }
}

/// One item of the log: an operation of a segment, or an entry of the snapshot. Valid only during the call that
/// receives it.
public struct LoggedItem {
    public enum Origin: Sendable, Equatable {
        case part(PartName)
        case segment(SegmentName)
    }

    public let origin: Origin
    public let revision: UInt64
    public let operation: LoggedOperation
}
