package import LogFormat
package import TransactionLog

/// The content and the damage of a log folder, as found by ``LogInspector``.
package struct LogInspection: Sendable {
    /// The kind of the folder.
    package enum State: Sendable, Equatable {
        /// A store, intact or damaged.
        case store
        /// There is no log; a start would create a store.
        case empty
        /// A `kv.log` of the Go system that the next start will import.
        case importPending
    }

    package struct Segment: Sendable {
        package let name: SegmentName
        /// Nil if the header is damaged, or the file is missing.
        package internal(set) var header: SegmentHeader?
        /// Bytes of the header and intact frames.
        package internal(set) var sizeBytes: UInt64 = 0
        /// Whether the file exists.
        package internal(set) var isThere = false
        package internal(set) var fileBytes: UInt64 = 0
        /// The newest revision up to ``sizeBytes``; one less than the first if there is none.
        package internal(set) var lastRevision: UInt64
        package internal(set) var operations: UInt64 = 0
        /// The segment's entry in the manifest, if it ends with its seal.
        package internal(set) var sealed: Manifest.Sealed?
        package internal(set) var damage: Corruption?
        /// The newest revision in headers of frames behind the damage.
        package internal(set) var lostRevision: UInt64?
        /// Intact frames with transactions behind the damage.
        package internal(set) var framesBehindDamage = 0
        /// Whether bytes that are not an intact frame follow all others: their revisions are unknown.
        package internal(set) var endIsDamaged = false

        init(_ name: SegmentName) {
            self.name = name
            self.lastRevision = name.firstRevision - 1
        }
    }

    package struct Part: Sendable {
        package let name: PartName
        /// Intact entries.
        package internal(set) var entries: UInt64 = 0
        /// Number of its entries in the manifest.
        package internal(set) var listedEntries: UInt64?
        package internal(set) var isThere = false
        package internal(set) var fileBytes: UInt64 = 0
        /// The part as listed by a manifest, if it is intact.
        package internal(set) var found: Manifest.Part?
        package internal(set) var damage: Corruption?
        /// Entries in intact frames behind the damage.
        package internal(set) var entriesBehindDamage: UInt64 = 0
    }

    package struct TornTail: Sendable, Equatable {
        package let file: String
        package let offset: UInt64
        package let bytes: UInt64
    }

    package internal(set) var state = State.store
    /// Nil if it is missing or damaged.
    package internal(set) var manifest: Manifest?
    package internal(set) var storeID: StoreID?
    /// In the order of the log.
    package internal(set) var segments: [Segment] = []
    package internal(set) var parts: [Part] = []
    /// Damage for which a start refuses the folder, in the order of its detection.
    package internal(set) var damage: [Corruption] = []
    /// Set if a newer version wrote the folder: then nothing else is known.
    package internal(set) var unsupported: String?
    package internal(set) var tornTail: TornTail?
    /// The log was truncated after its clean stop. A start reports that, and continues.
    package internal(set) var lostEnd: RecoveryReport.LostEnd?
    /// The last segment is shorter than when it was created. A start reports that, and continues.
    package internal(set) var cutFile: RecoveryReport.CutFile?
    package internal(set) var wasCleanShutdown = false
    /// Segments that do not belong to this log.
    package internal(set) var unexpectedSegments: [SegmentName] = []
    /// Files that the next start removes: unfinished work of a crash, and files that a snapshot has replaced.
    package internal(set) var leftovers: [String] = []
    /// Files of zeros that are prepared to become the next segments.
    package internal(set) var prepared: [String] = []
    /// Files that do not belong to the log.
    package internal(set) var unknownFiles: [String] = []
    /// Bytes and live bytes of each file; live bytes only if the inspector's caller reported replaced records.
    package internal(set) var space = LogSpace()
    package internal(set) var bytesRead: UInt64 = 0
    /// The revisions in the intact frames of the segments, including those behind damage.
    package internal(set) var coverage = RevisionCoverage()

    package var firstRevision: UInt64 { self.segments.first?.name.firstRevision ?? 1 }
    package var lastRevision: UInt64 { self.segments.map(\.lastRevision).max() ?? 0 }
    package var isDamaged: Bool {
        !self.damage.isEmpty || self.unsupported != nil || self.lostEnd != nil || self.cutFile != nil
    }

    /// The size for the next segment: that of the existing ones, or the default.
    package var usualSegmentBytes: Int {
        let largest = self.segments.map { Int($0.fileBytes) }.max() ?? 0
        return largest > SegmentHeader.byteCount ? largest : LogConfiguration.defaultSegmentBytes
    }

    /// The sync mode when the last segment was created, as in the flag: `interval` without its time.
    package var syncMode: String? { self.segments.last?.header?.syncModeName }
}

extension SegmentHeader {
    package var syncModeName: String {
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
package struct LoggedItem {
    package enum Origin: Sendable, Equatable {
        case part(PartName)
        case segment(SegmentName)
    }

    package let origin: Origin
    package let revision: UInt64
    package let operation: LoggedOperation
}
