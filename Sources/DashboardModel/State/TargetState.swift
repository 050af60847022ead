/// The state of one target: whether it answers, its newest documents, and the figures computed from them.
public struct TargetState: Sendable {
    public enum Availability: String, Sendable {
        /// No answer yet, and no failure.
        case connecting
        case up
        /// It answered before, and one or two polls were missed since: the shown figures are old.
        case stale
        /// Three consecutive polls were missed, or it never answered: nothing is shown.
        case down
    }

    /// Consecutive missed polls after which a target is down.
    public static let missedLimit = 3
    /// Figures cover at least this time, and ``windowPolls`` polls.
    public static let windowSeconds = 10.0
    public static let windowPolls = 5

    public let target: Target
    public internal(set) var availability = Availability.connecting
    /// Why the newest poll failed completely or in part.
    public internal(set) var failure: PollFailure?
    /// Monotonic and wall-clock seconds of the newest answer.
    public internal(set) var lastAnswerAt: Double?
    public internal(set) var lastAnswerWallTime: Double?
    /// Wall-clock seconds of the last change of the availability.
    public internal(set) var availableSince: Double?
    public internal(set) var roundTripSeconds: Double?
    public internal(set) var missedInARow = 0
    public internal(set) var metricsMissedInARow = 0
    public internal(set) var adminMissedInARow = 0

    /// The newest documents; nil if there are none or if they are too old to show.
    public internal(set) var metrics: MetricsSnapshot?
    public internal(set) var admin: AdminSnapshot?
    /// The handlers of the newest scrape, even if it is too old to show.
    public internal(set) var handlerNames: [String] = []
    /// Of all scrapes of this run of the service.
    public internal(set) var storeUse: StoreUse = []
    /// Nil until there are two scrapes of one run of the service.
    public internal(set) var figures: Figures?
    public internal(set) var history = History()
    public internal(set) var session: SessionTotals
    /// Whether the service has `/admin/events`: then kvtop does not report the same changes again.
    public internal(set) var reportsEvents = false
    public internal(set) var garbageLevel = AlarmLevel.none
    public internal(set) var diskLevel = AlarmLevel.none

    /// The scrapes within the window of ``figures``, oldest first.
    var recent: [(time: Double, snapshot: MetricsSnapshot)] = []
    /// Counts kvtop's own requests in this run of the service.
    var ownPolls = OwnPolls()
    /// The newest event of the service that was copied.
    var newestEvent = (instance: "", number: 0)

    init(_ target: Target, now: Double) {
        self.target = target
        self.session = SessionTotals(since: now)
    }

    /// Whether the figures are older than the newest poll.
    public var areFiguresStale: Bool { self.availability == .stale || self.metricsMissedInARow > 0 }

    /// Whether the `/admin` document is older than the newest poll.
    public var isAdminStale: Bool { self.availability == .stale || self.adminMissedInARow > 0 }

    /// Keys in the store: from `/metrics`, else from `/admin`.
    public var keys: Double? { self.metrics?["kv_keys"] ?? self.admin?.store?.keys }

    public var logSizeBytes: Double? { self.admin?.log?.sizeBytes ?? self.metrics?["kv_log_size_bytes"] }

    public var logLiveBytes: Double? { self.admin?.log?.liveBytes ?? self.metrics?["kv_log_live_bytes"] }

    /// 0 to 1; nil if the service does not report live bytes.
    public var garbageRatio: Double? {
        if let ratio = self.admin?.log?.garbageRatio { return ratio }
        guard let size = self.logSizeBytes, let live = self.logLiveBytes, size > 0 else { return nil }
        return max(0, size - live) / size
    }

    /// The garbage ratio of a log that is large enough for an automatic compaction: a small log may be all garbage
    /// without a problem.
    var garbageThatMatters: Double? {
        if let size = self.logSizeBytes, let least = self.admin?.compaction?.minimumBytes, size < least { return nil }
        return self.garbageRatio
    }

    /// Used share of the log's file system, 0 to 1.
    public var diskUse: Double? {
        guard let size = self.admin?.log?.fileSystemBytes, let free = self.admin?.log?.fileSystemAvailableBytes,
            size > 0
        else { return nil }
        return 1 - free / size
    }

    /// Number of figures beyond their limits, and of conditions.
    public var alarmCount: Int {
        guard self.availability == .up || self.availability == .stale else {
            return self.availability == .down ? 1 : 0
        }
        let handlers = self.figures?.handlers.filter { $0.level > .none }.count ?? 0
        let levels = [self.figures?.syncLevel ?? .none, self.garbageLevel]
        return handlers + levels.filter { $0 > .none }.count + self.conditions.count
    }
}

/// Counts since kvtop started, or since the operator reset them.
public struct SessionTotals: Sendable, Equatable {
    /// Monotonic seconds.
    public var since: Double
    public var requests: Double = 0
    public var serverErrors: Double = 0
    /// The highest number of requests per second in a poll.
    public var peakRate: Double = 0
    public var polls = 0
    public var missedPolls = 0
    public var restarts = 0

    init(since: Double) {
        self.since = since
    }
}
