import JSON

/// The `compaction` member of kv-service's `/admin`. Nil: not reported.
public struct Compaction: Sendable, Equatable {
    public var isRunning: Bool?
    /// `idle`, `running`, `backing_off` after a failure, `blocked`.
    public var state: String?
    /// The current step of the run, in the service's words.
    public var phase: String?
    /// 0 to 1.
    public var progress: Double?
    public var bytesRead: Double?
    public var bytesWritten: Double?
    public var bytesTotal: Double?
    public var etaSeconds: Double?
    public var elapsedSeconds: Double?
    public var keysKept: Double?
    /// Time that the run waited, to stay within its rate and to avoid delaying commits.
    public var throttledSeconds: Double?
    /// Why no run can start, in the service's words.
    public var blockedBy: String?
    public var runs: Double?
    public var failures: Double?
    /// Consecutive failed runs.
    public var consecutiveFailures: Double?
    /// No automatic run before this time.
    public var retryAt: String?
    public var lastSuccessAt: String?
    /// The garbage ratio, 0 to 1, at which the next run starts automatically.
    public var thresholdRatio: Double?
    /// Minimum size of the log for that.
    public var minimumBytes: Double?
    /// What starts the next run, in the service's words.
    public var nextTrigger: String?
    public var last: Run?

    public struct Run: Sendable, Equatable {
        public var trigger: String?
        public var result: String?
        public var startedAt: String?
        public var durationSeconds: Double?
        public var bytesBefore: Double?
        public var bytesAfter: Double?
        public var keysKept: Double?
        public var keysDropped: Double?
        public var throttledSeconds: Double?
        public var error: String?

        public var isOK: Bool { self.result == "ok" }

        public var freedBytes: Double? {
            guard let before = self.bytesBefore, let after = self.bytesAfter else { return nil }
            return before - after
        }

        /// `990M freed`, `1.00k more`: a log that is small, or is written to meanwhile, may be larger afterwards.
        public static func freedText(_ bytes: Double, _ units: Quantity.Units = .si) -> String {
            bytes >= 0 ? "\(Quantity.bytes(bytes, units)) freed" : "\(Quantity.bytes(-bytes, units)) more"
        }
    }

    public init() {}

    init(_ tree: JSONTree) {
        self.state = tree["state"]?.string
        self.isRunning = tree["running"]?.bool ?? self.state.map { $0 == "running" }
        self.phase = tree["phase"]?.string
        self.progress = (tree["progress_ratio"]?.double ?? tree["progress"]?.double).map { min(max($0, 0), 1) }
        let run = tree["run"] ?? .null
        self.bytesRead = (run["bytes_read"] ?? tree["bytes_read"])?.double
        self.bytesWritten = (run["bytes_written"] ?? tree["bytes_written"])?.double
        self.bytesTotal = tree["bytes_total"]?.double
        self.etaSeconds = (run["eta_seconds"] ?? tree["eta_seconds"])?.double
        self.elapsedSeconds = tree["elapsed_seconds"]?.double ?? tree["duration_seconds"]?.double
        self.keysKept = run["keys_kept"]?.double
        self.throttledSeconds = run["throttled_seconds"]?.double
        self.blockedBy = tree["blocked_by"]?.string
        self.runs = tree["runs_total"]?.double
        self.failures = tree["failures_total"]?.double
        self.consecutiveFailures = tree["consecutive_failures"]?.double
        self.retryAt = tree["retry_at"]?.string
        self.lastSuccessAt = tree["last_success_at"]?.string
        self.thresholdRatio = tree["threshold_ratio"]?.double
        self.minimumBytes = (tree["minimum_bytes"] ?? tree["min_bytes"])?.double
        self.nextTrigger = tree["next_trigger"]?.string
        self.last = tree["last"].flatMap(Run.init)
    }
}

extension Compaction.Run {
    /// Nil if no run has ended yet.
    init?(_ tree: JSONTree) {
        guard case .object = tree else { return nil }
        self.trigger = tree["trigger"]?.string
        self.result = tree["result"]?.string
        self.startedAt = tree["started_at"]?.string
        self.durationSeconds = tree["duration_seconds"]?.double
        self.bytesBefore = tree["bytes_before"]?.double
        self.bytesAfter = tree["bytes_after"]?.double
        self.keysKept = tree["keys_kept"]?.double
        self.keysDropped = tree["keys_dropped"]?.double
        self.throttledSeconds = tree["throttled_seconds"]?.double
        self.error = tree["error"]?.string
    }
}
