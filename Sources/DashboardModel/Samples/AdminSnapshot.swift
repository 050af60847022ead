/// The content of one `/admin` document. Nil: the service does not report it.
public struct AdminSnapshot: Sendable, Equatable {
    public var service: String?
    /// The service's clock when it wrote the document, in seconds since 1970.
    public var now: Double?
    public var instance: String?
    public var version: String?
    /// `starting`, `replaying`, `ready`, `read_only`, `failed`, `draining`, `stopping`.
    public var state: String?
    public var stateReason: String?
    /// The switches of operators.
    public var isReadOnly: Bool?
    public var isDraining: Bool?
    public var uptimeSeconds: Double?
    public var processID: Int?
    public var connections: Double?
    public var connectionsLimit: Double?
    public var checks: [Check] = []
    public var certificates: [Certificate] = []
    public var store: Store?
    public var memory: Memory?
    public var log: Log?
    public var replay: Replay?
    public var compaction: Compaction?
    public var upstreams: [Upstream] = []

    public struct Check: Sendable, Equatable {
        public var name: String
        public var isOK: Bool
        /// It fails, but the service continues its work.
        public var isWarning = false
        public var message: String?
    }

    /// A certificate in use.
    public struct Certificate: Sendable, Equatable {
        /// `listener`, `listener_authorities`, `upstream`, `upstream_authorities`.
        public var name: String
        /// Below 0 if it has expired.
        public var expiresInSeconds: Double
    }

    public struct Store: Sendable, Equatable {
        public var keys: Double?
        public var keyBytes: Double?
        public var valueBytes: Double?
    }

    public struct Memory: Sendable, Equatable {
        /// `ok`, `full`.
        public var state: String?
        /// Used share of the nearest limit, 0 to 1; nil without a limit.
        public var use: Double?
    }

    public struct Log: Sendable, Equatable {
        public var path: String?
        /// `ok`, `disk_full`, `failed`.
        public var state: String?
        public var sizeBytes: Double?
        public var liveBytes: Double?
        /// 0 to 1.
        public var garbageRatio: Double?
        public var syncPolicy: String?
        public var syncIntervalSeconds: Double?
        public var warning: String?
        public var lastError: String?
        /// Acknowledged changes that were missing at the start.
        public var lostRevisions: Double?
        /// Damaged files found by scrubs.
        public var damagedFiles: Double?
        public var pendingAppends: Double?
        public var snapshot: LogSnapshot?
        public var segmentCount: Int?
        public var segments: [Segment] = []
        public var fileSystemBytes: Double?
        public var fileSystemAvailableBytes: Double?

        /// Bytes that a compaction would free; nil if the service does not report live bytes.
        public var garbageBytes: Double? {
            if let size = self.sizeBytes, let live = self.liveBytes { return max(0, size - live) }
            if let size = self.sizeBytes, let ratio = self.garbageRatio { return size * ratio }
            return nil
        }
    }

    /// The snapshot of the log, as far as the service reports it. Without parts there is no snapshot yet.
    public struct LogSnapshot: Sendable, Equatable {
        public var sizeBytes: Double?
        public var liveBytes: Double?
        public var parts: Double?
        /// The newest change in it: it replaces all changes before the first segment.
        public var revision: Double?
    }

    public struct Segment: Sendable, Equatable {
        public var name: String
        public var sizeBytes: Double?
        public var liveBytes: Double?
        public var isSealed: Bool?
    }

    public struct Replay: Sendable, Equatable {
        public var state: String?
        public var progress: Double?
        public var etaSeconds: Double?
    }

    public struct Upstream: Sendable, Equatable {
        public var name: String
        /// What the last probe found: `ready`, `starting`, `unreachable` and others.
        public var state: String?
        public var isUp: Bool?
        public var isReady: Bool?
        public var lastSuccessAt: String?
        public var lastErrorAt: String?
        public var lastErrorReason: String?
        public var lastErrorMessage: String?
        public var connectionsActive: Double?
        public var connectionsIdle: Double?
        public var connectionsLimit: Double?
        public var requestsWaiting: Double?
        public var requestsInFlight: Double?
        /// `closed`, `open`, `half_open`, or the state of one circuit: `writes open`.
        public var circuit: String?

        /// In a word or two, for a line or a condition.
        public var shownState: String? { self.state?.replacing("_", with: " ") }
    }

    public init() {}
}
