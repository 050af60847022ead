/// Figures computed from the polls of one target: differences of counters and buckets over a stated window.
public struct Figures: Sendable, Equatable {
    /// Seconds between the two polls whose difference this is.
    public var windowSeconds: Double
    /// By name, ascending.
    public var handlers: [HandlerFigures]
    /// All handlers that serve data, with summed buckets.
    public var data: HandlerFigures
    public var appendsRate: Double?
    public var appendedBytesRate: Double?
    public var syncRate: Double?
    public var sync: HistogramCounts
    public var syncLevel: AlarmLevel = .none
    public var write: HistogramCounts
    public var commit: HistogramCounts
    /// Transactions in a group commit.
    public var transactionsPerCommit: Double?
    public var logFailures: Double?
    public var watchEventRate: Double?
    /// Watchers that were cut as lagging within the window.
    public var laggingWatchers: Double?
    public var expiredRate: Double?
    public var unmetRate: Double?
    public var replayRate: Double?
    public var upstreamRate: Double?
    public var retryRate: Double?
    public var failureRate: Double?
    public var timeoutRate: Double?
    public var overhead: HistogramCounts
    /// Cores in use: 1 is one core.
    public var cpu: Double?
}

/// One row of a table of handlers.
public struct HandlerFigures: Sendable, Equatable {
    public var name: String
    public var counts: HandlerCounts
    /// The handlers that this row sums up; empty for a row of one handler.
    public var members: [String] = []
    /// Requests per second, without kvtop's own.
    public var rate: Double
    public var errorLevel: AlarmLevel = .none
    public var p99Level: AlarmLevel = .none

    init(_ counts: HandlerCounts, seconds: Double) {
        self.name = counts.name
        self.counts = counts
        self.rate = counts.traffic / seconds
        if counts.ownRequests > 0, counts.traffic == 0 {
            // Only kvtop has sent requests: there is nothing to show.
            self.counts = HandlerCounts(name: counts.name)
        }
    }

    /// Server errors as a share of all requests, 0 to 1; nil without requests.
    public var errorRatio: Double? {
        self.counts.requests > 0 ? self.counts.serverErrors / self.counts.requests : nil
    }

    /// Answers 400 to 499 as a share of all requests, 0 to 1.
    public var clientErrorRatio: Double? {
        self.counts.requests > 0 ? self.counts.clientErrors / self.counts.requests : nil
    }

    public func quantile(_ part: Double) -> QuantileEstimate { self.counts.durations.quantile(part) }

    public var level: AlarmLevel { max(self.errorLevel, self.p99Level) }

    /// Several rows as one: counts and buckets are summed, so its quantiles are those of all their requests.
    public static func folded(_ rows: [HandlerFigures], name: String, seconds: Double) -> HandlerFigures {
        var counts = HandlerCounts(name: name)
        for row in rows { counts = counts.plus(row.counts) }
        var folded = HandlerFigures(counts, seconds: max(seconds, .leastNormalMagnitude))
        folded.members = rows.map(\.name)
        folded.errorLevel = rows.map(\.errorLevel).max() ?? .none
        folded.p99Level = rows.map(\.p99Level).max() ?? .none
        return folded
    }
}

extension Figures {
    /// The differences between two scrapes of one run of one service.
    ///
    /// - Returns: nil if no time has passed between them, or if a counter decreased: the service was restarted, and the
    ///   two scrapes cannot be compared.
    public init?(from earlier: MetricsSnapshot, to later: MetricsSnapshot, seconds: Double) {
        guard seconds > 0 else { return nil }
        if let before = earlier["process_start_time_seconds"], let now = later["process_start_time_seconds"],
            before != now
        {
            return nil
        }
        var handlers: [HandlerFigures] = []
        let known = Dictionary(earlier.handlers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for counts in later.handlers {
            // A handler that is new had answered nothing before.
            let before = known[counts.name] ?? HandlerCounts(name: counts.name)
            let comparable = known[counts.name] == nil ? counts : counts.minus(before)
            guard let comparable else { return nil }
            handlers.append(HandlerFigures(comparable, seconds: seconds))
        }
        guard let write = later.writeDurations.minus(earlier.writeDurations),
            let sync = later.syncDurations.minus(earlier.syncDurations),
            let commit = later.commitDurations.minus(earlier.commitDurations),
            let batch = later.commitTransactions.minus(earlier.commitTransactions),
            let overhead = later.overheadDurations.minus(earlier.overheadDurations)
        else { return nil }
        var fell = false
        func difference(_ before: Double?, _ now: Double?) -> Double? {
            guard let before, let now else { return nil }
            fell = fell || now < before
            return now - before
        }
        func rate(_ counter: String) -> Double? { difference(earlier[counter], later[counter]).map { $0 / seconds } }
        self.windowSeconds = seconds
        self.handlers = handlers
        self.data = .folded(handlers.filter { $0.counts.servesData }, name: "data total", seconds: seconds)
        self.write = write
        self.sync = sync
        self.commit = commit
        self.overhead = overhead
        self.transactionsPerCommit = batch.mean
        self.syncRate = sync.bounds.isEmpty ? nil : sync.count / seconds
        self.appendsRate = rate("kv_log_appends_total")
        self.appendedBytesRate = rate("kv_log_appended_bytes_total")
        self.logFailures = difference(earlier["kv_log_failures_total"], later["kv_log_failures_total"])
        self.watchEventRate = rate("kv_watch_events_total")
        self.laggingWatchers = difference(earlier.laggingWatchers, later.laggingWatchers)
        self.expiredRate = rate("kv_expired_keys_total")
        self.unmetRate = difference(earlier.unmetWrites, later.unmetWrites).map { $0 / seconds }
        self.replayRate = rate("kv_idempotent_replays_total")
        self.upstreamRate = rate("gateway_upstream_requests_total")
        self.retryRate = rate("gateway_upstream_retries_total")
        self.failureRate = rate("gateway_upstream_failures_total")
        self.timeoutRate = difference(earlier.upstreamTimeouts, later.upstreamTimeouts).map { $0 / seconds }
        self.cpu = rate("process_cpu_seconds_total")
        if fell { return nil }
    }

    /// Sets the levels of all figures, given the previous levels.
    mutating func judge(_ thresholds: Thresholds, before: Figures?) {
        let levels = Dictionary(
            (before?.handlers ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for index in self.handlers.indices {
            self.handlers[index].judge(thresholds, before: levels[self.handlers[index].name])
        }
        self.data.judge(thresholds, before: before?.data)
        self.syncLevel = thresholds.syncP99.level(
            of: self.sync.quantile(0.99).number, before: before?.syncLevel ?? .none)
    }
}

extension HandlerFigures {
    fileprivate mutating func judge(_ thresholds: Thresholds, before: HandlerFigures?) {
        // A slow or refused poll of kvtop itself is not a problem of the service's clients.
        guard !OwnPolls.mayHave(self.name) else { return }
        // `/readyz` answers 503 while a service is not ready: that is not a failure, and a condition shows it.
        let errors = self.name == "readyz" ? nil : self.errorRatio
        self.errorLevel = thresholds.errorRatio.level(of: errors, before: before?.errorLevel ?? .none)
        self.p99Level = thresholds.p99.level(of: self.quantile(0.99).number, before: before?.p99Level ?? .none)
    }
}
