/// The content of one `/admin` document. Nil: the service does not report it.
package struct AdminSnapshot: Sendable, Equatable {
    package var service: String?
    /// The service's clock when it wrote the document, in seconds since 1970.
    package var now: Double?
    package var instance: String?
    package var version: String?
    /// `starting`, `replaying`, `ready`, `read_only`, `failed`, `draining`, `stopping`.
    package var state: String?
    package var stateReason: String?
    /// The switches of operators.
    package var isReadOnly: Bool?
    package var isDraining: Bool?
    package var uptimeSeconds: Double?
    package var processID: Int?
    package var connections: Double?
    package var connectionsLimit: Double?
    package var checks: [Check] = []
    package var store: Store?
    package var memory: Memory?
    package var log: Log?
    package var replay: Replay?
    package var compaction: Compaction?
    package var upstreams: [Upstream] = []

    package struct Check: Sendable, Equatable {
        package var name: String
        package var isOK: Bool
        /// It fails, but the service continues its work.
        package var isWarning = false
        package var message: String?
    }

    package struct Store: Sendable, Equatable {
        package var keys: Double?
        package var keyBytes: Double?
        package var valueBytes: Double?
    }

    package struct Memory: Sendable, Equatable {
        /// `ok`, `full`.
        package var state: String?
        /// Used share of the nearest limit, 0 to 1; nil without a limit.
        package var use: Double?
    }

    package struct Log: Sendable, Equatable {
        package var path: String?
        /// `ok`, `disk_full`, `failed`.
        package var state: String?
        package var sizeBytes: Double?
        package var liveBytes: Double?
        /// 0 to 1.
        package var garbageRatio: Double?
        package var syncPolicy: String?
        package var syncIntervalSeconds: Double?
        package var warning: String?
        package var lastError: String?
        /// Acknowledged changes that were missing at the start.
        package var lostRevisions: Double?
        /// Damaged files found by scrubs.
        package var damagedFiles: Double?
        package var pendingAppends: Double?
        package var snapshot: LogSnapshot?
        package var segmentCount: Int?
        package var segments: [Segment] = []
        package var fileSystemBytes: Double?
        package var fileSystemAvailableBytes: Double?

        /// Bytes that a compaction would free; nil if the service does not report live bytes.
        package var garbageBytes: Double? {
            if let size = self.sizeBytes, let live = self.liveBytes { return max(0, size - live) }
            if let size = self.sizeBytes, let ratio = self.garbageRatio { return size * ratio }
            return nil
        }
    }

    /// The snapshot of the log, as far as the service reports it. Without parts there is no snapshot yet.
    package struct LogSnapshot: Sendable, Equatable {
        package var sizeBytes: Double?
        package var liveBytes: Double?
        package var parts: Double?
        /// The newest change in it: it replaces all changes before the first segment.
        package var revision: Double?
    }

    package struct Segment: Sendable, Equatable {
        package var name: String
        package var sizeBytes: Double?
        package var liveBytes: Double?
        package var isSealed: Bool?
    }

    package struct Replay: Sendable, Equatable {
        package var state: String?
        package var progress: Double?
        package var etaSeconds: Double?
    }

    package struct Upstream: Sendable, Equatable {
        package var name: String
        package var isUp: Bool?
        package var lastSuccessAt: String?
        package var lastErrorAt: String?
        package var lastErrorReason: String?
        package var lastErrorMessage: String?
        package var connectionsActive: Double?
        package var connectionsIdle: Double?
        package var connectionsLimit: Double?
        package var requestsWaiting: Double?
        package var requestsInFlight: Double?
        /// `closed`, `open`, `half_open`, or the state of one circuit: `writes open`.
        package var circuit: String?
    }

    package init() {}
}
