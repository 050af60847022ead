/// What is known of one target: whether it answers, its newest documents, and what was computed from them.
package struct TargetState: Sendable {
    package enum Availability: String, Sendable {
        /// Not answered yet, and not refused either.
        case connecting
        case up
        /// It answered before, and one or two polls were missed since: what is shown is old.
        case stale
        /// Three polls in a row were missed, or it never answered: nothing is shown.
        case down
    }

    /// Polls in a row without an answer after which a target is down.
    package static let missedLimit = 3
    /// Figures are of at least this long, and of ``windowPolls`` polls.
    package static let windowSeconds = 10.0
    package static let windowPolls = 5

    package let target: Target
    package internal(set) var availability = Availability.connecting
    /// Why the newest poll brought nothing, or not everything.
    package internal(set) var failure: PollFailure?
    /// Monotonic and wall-clock seconds of the newest answer.
    package internal(set) var lastAnswerAt: Double?
    package internal(set) var lastAnswerWallTime: Double?
    /// Wall-clock seconds at which the availability became what it is.
    package internal(set) var availableSince: Double?
    package internal(set) var roundTripSeconds: Double?
    package internal(set) var missedInARow = 0
    package internal(set) var metricsMissedInARow = 0
    package internal(set) var adminMissedInARow = 0

    /// The newest documents, nil when there are none or they are too old to show.
    package internal(set) var metrics: MetricsSnapshot?
    package internal(set) var admin: AdminSnapshot?
    /// The handlers of the newest scrape there was, also when that is too old to show.
    package internal(set) var handlerNames: [String] = []
    /// Nil until there are two scrapes of one run of the service.
    package internal(set) var figures: Figures?
    package internal(set) var history = History()
    package internal(set) var session: SessionTotals
    /// Whether the service has `/admin/events`: what it tells itself is then not told again by kvtop.
    package internal(set) var reportsEvents = false
    package internal(set) var garbageLevel = AlarmLevel.none
    package internal(set) var diskLevel = AlarmLevel.none

    /// The scrapes that the window of ``figures`` reaches over, oldest first.
    var recent: [(time: Double, snapshot: MetricsSnapshot)] = []
    /// Which requests of this run of the service are kvtop's own.
    var ownPolls = OwnPolls()
    /// The newest event of the service that was taken over.
    var newestEvent = (instance: "", number: 0)

    init(_ target: Target, now: Double) {
        self.target = target
        self.session = SessionTotals(since: now)
    }

    /// Whether the figures are older than the newest poll.
    package var areFiguresStale: Bool { self.availability == .stale || self.metricsMissedInARow > 0 }

    /// Whether what `/admin` said is older than the newest poll.
    package var isAdminStale: Bool { self.availability == .stale || self.adminMissedInARow > 0 }

    /// Keys in the store: of `/metrics`, else of `/admin`.
    package var keys: Double? { self.metrics?["kv_keys"] ?? self.admin?.store?.keys }

    package var logSizeBytes: Double? { self.admin?.log?.sizeBytes ?? self.metrics?["kv_log_size_bytes"] }

    package var logLiveBytes: Double? { self.admin?.log?.liveBytes ?? self.metrics?["kv_log_live_bytes"] }

    /// 0 to 1; nil while the service does not report what is live.
    package var garbageRatio: Double? {
        if let ratio = self.admin?.log?.garbageRatio { return ratio }
        guard let size = self.logSizeBytes, let live = self.logLiveBytes, size > 0 else { return nil }
        return max(0, size - live) / size
    }

    /// The garbage ratio of a log that has the size from which a compaction starts by itself: a small one may be all
    /// garbage, and nothing is wrong.
    var garbageThatMatters: Double? {
        if let size = self.logSizeBytes, let least = self.admin?.compaction?.minimumBytes, size < least { return nil }
        return self.garbageRatio
    }

    /// Used part of the log's file system, 0 to 1.
    package var diskUse: Double? {
        guard let size = self.admin?.log?.fileSystemBytes, let free = self.admin?.log?.fileSystemAvailableBytes,
            size > 0
        else { return nil }
        return 1 - free / size
    }

    /// How many of its figures are beyond their limits, and its conditions.
    package var alarmCount: Int {
        guard self.availability == .up || self.availability == .stale else {
            return self.availability == .down ? 1 : 0
        }
        let handlers = self.figures?.handlers.filter { $0.level > .none }.count ?? 0
        let levels = [self.figures?.syncLevel ?? .none, self.garbageLevel]
        return handlers + levels.filter { $0 > .none }.count + self.conditions.count
    }
}

/// What was counted since kvtop began, or since the operator reset it.
package struct SessionTotals: Sendable, Equatable {
    /// Monotonic seconds.
    package var since: Double
    package var requests: Double = 0
    package var serverErrors: Double = 0
    /// Requests per second of the busiest poll.
    package var peakRate: Double = 0
    package var polls = 0
    package var missedPolls = 0
    package var restarts = 0

    init(since: Double) {
        self.since = since
    }
}
