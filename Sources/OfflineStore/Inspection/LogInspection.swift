package import LogFormat
package import TransactionLog

/// What a log folder holds and what is wrong with it, as ``LogInspector`` found it.
package struct LogInspection: Sendable {
    /// What the folder is.
    package enum State: Sendable, Equatable {
        /// A store, whole or damaged.
        case store
        /// Nothing of a log is there; a start would begin a store.
        case empty
        /// A `kv.log` of the Go system that the next start will import.
        case importPending
    }

    package struct Segment: Sendable {
        package let name: SegmentName
        /// Nil when the header is damaged, or the file is missing.
        package internal(set) var header: SegmentHeader?
        /// Bytes of header and good frames.
        package internal(set) var sizeBytes: UInt64 = 0
        /// Whether there is a file of that name.
        package internal(set) var isThere = false
        package internal(set) var fileBytes: UInt64 = 0
        /// The newest revision up to ``sizeBytes``; one less than the first when there is none.
        package internal(set) var lastRevision: UInt64
        package internal(set) var operations: UInt64 = 0
        /// The segment's place in the manifest, when it ends in its seal.
        package internal(set) var sealed: Manifest.Sealed?
        package internal(set) var damage: Corruption?
        /// The newest revision that headers of frames behind the damage tell of.
        package internal(set) var lostRevision: UInt64?
        /// Whole frames with transactions behind the damage.
        package internal(set) var framesBehindDamage = 0
        /// Whether bytes that are no whole frame follow all others: nothing says which revisions were in them.
        package internal(set) var endIsDamaged = false

        init(_ name: SegmentName) {
            self.name = name
            self.lastRevision = name.firstRevision - 1
        }
    }

    package struct Part: Sendable {
        package let name: PartName
        /// Good entries.
        package internal(set) var entries: UInt64 = 0
        /// Entries that the manifest says it has.
        package internal(set) var listedEntries: UInt64?
        package internal(set) var isThere = false
        package internal(set) var fileBytes: UInt64 = 0
        /// The part as a manifest lists it, when it is whole.
        package internal(set) var found: Manifest.Part?
        package internal(set) var damage: Corruption?
        /// Entries in whole frames behind the damage.
        package internal(set) var entriesBehindDamage: UInt64 = 0
    }

    package struct TornTail: Sendable, Equatable {
        package let file: String
        package let offset: UInt64
        package let bytes: UInt64
    }

    package internal(set) var state = State.store
    /// Nil when it is missing or damaged.
    package internal(set) var manifest: Manifest?
    package internal(set) var storeID: StoreID?
    /// In the order of the log.
    package internal(set) var segments: [Segment] = []
    package internal(set) var parts: [Part] = []
    /// What a start is refused for, in the order in which it is met.
    package internal(set) var damage: [Corruption] = []
    /// Set when the folder was written by a newer version: then nothing more is known.
    package internal(set) var unsupported: String?
    package internal(set) var tornTail: TornTail?
    /// The log was cut after its clean stop. A start tells, and goes on.
    package internal(set) var lostEnd: RecoveryReport.LostEnd?
    /// The last segment is shorter than it was made. A start tells, and goes on.
    package internal(set) var cutFile: RecoveryReport.CutFile?
    package internal(set) var wasCleanShutdown = false
    /// Segments that are none of this log.
    package internal(set) var unexpectedSegments: [SegmentName] = []
    /// Files that the next start removes: work that a crash has cut short, and what a snapshot has replaced.
    package internal(set) var leftovers: [String] = []
    /// Files of zeros that wait to become the next segments.
    package internal(set) var prepared: [String] = []
    /// Files that are not the log's.
    package internal(set) var unknownFiles: [String] = []
    /// Bytes and live bytes of each file; the live ones only where the inspector was told what is replaced.
    package internal(set) var space = LogSpace()
    package internal(set) var bytesRead: UInt64 = 0
    /// The revisions of which the whole frames of the segments tell, those behind damage among them.
    package internal(set) var coverage = RevisionCoverage()

    package var firstRevision: UInt64 { self.segments.first?.name.firstRevision ?? 1 }
    package var lastRevision: UInt64 { self.segments.map(\.lastRevision).max() ?? 0 }
    package var isDamaged: Bool {
        !self.damage.isEmpty || self.unsupported != nil || self.lostEnd != nil || self.cutFile != nil
    }

    /// The size that the next segment is to have: that of the ones that are there, or the default.
    package var usualSegmentBytes: Int {
        let largest = self.segments.map { Int($0.fileBytes) }.max() ?? 0
        return largest > SegmentHeader.byteCount ? largest : LogConfiguration.defaultSegmentBytes
    }

    /// The sync mode that the last segment was made under, as the start's flag names it: `interval` without its time.
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

/// One thing that the log holds: an operation of a segment, or an entry of the snapshot. Valid only during the call it
/// is given to.
package struct LoggedItem {
    package enum Origin: Sendable, Equatable {
        case part(PartName)
        case segment(SegmentName)
    }

    package let origin: Origin
    package let revision: UInt64
    package let operation: LoggedOperation
}
