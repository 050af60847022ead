extension TargetState {
    /// Processes a poll.
    ///
    /// - Returns: the events that an operator should see.
    mutating func apply(_ result: PollResult, _ thresholds: Thresholds) -> [DashboardEvent] {
        var told: [DashboardEvent] = []
        self.session.polls += 1
        self.failure = result.failure
        if result.isAnswered {
            self.takeAnswer(result, &told)
        } else {
            self.takeMiss(result, &told)
        }
        self.takeMetrics(result, thresholds, &told)
        self.takeAdmin(result, thresholds, &told)
        self.takeEvents(result, &told)
        return told
    }

    private mutating func takeAnswer(_ result: PollResult, _ told: inout [DashboardEvent]) {
        let missed = self.missedInARow
        let silence = self.lastAnswerAt.map { result.receivedAt - $0 }
        switch self.availability {
        case .connecting: told.append(self.event(result, .info, "answers at \(self.target.address)"))
        case .down:
            let words = silence.map { "is back after \(Int($0.rounded())) s" } ?? "answers at \(self.target.address)"
            told.append(self.event(result, .info, words))
        case .stale:
            told.append(self.event(result, .info, "answers again, \(missed) \(missed == 1 ? "poll" : "polls") missed"))
        case .up: break
        }
        self.setAvailability(.up, result)
        self.missedInARow = 0
        self.lastAnswerAt = result.receivedAt
        self.lastAnswerWallTime = result.wallTime
        self.roundTripSeconds = result.roundTripSeconds
    }

    private mutating func takeMiss(_ result: PollResult, _ told: inout [DashboardEvent]) {
        self.missedInARow += 1
        self.session.missedPolls += 1
        self.roundTripSeconds = nil
        let reason = result.failure?.reason ?? "no answer"
        let isLost = self.lastAnswerAt == nil || self.missedInARow >= Self.missedLimit
        if isLost, self.availability != .down {
            let silent = self.lastAnswerAt == nil ? "does not answer" : "no longer answers"
            told.append(self.event(result, .error, "\(silent): \(reason)"))
        }
        self.setAvailability(isLost ? .down : .stale, result)
    }

    private mutating func setAvailability(_ availability: Availability, _ result: PollResult) {
        guard self.availability != availability || self.availableSince == nil else { return }
        self.availability = availability
        self.availableSince = result.wallTime
    }

    func event(_ result: PollResult, _ level: DashboardEvent.Level, _ text: String) -> DashboardEvent {
        DashboardEvent(at: result.wallTime, source: self.target.name, level: level, text: text)
    }

    // MARK: Metrics

    private mutating func takeMetrics(
        _ result: PollResult, _ thresholds: Thresholds, _ told: inout [DashboardEvent]
    ) {
        guard case .success(var snapshot) = result.metrics else {
            self.ownPolls.missed(result)
            self.metricsMissedInARow += 1
            if self.metricsMissedInARow >= Self.missedLimit || self.availability == .down {
                self.metrics = nil
                self.figures = nil
            }
            self.history.append(time: result.receivedAt, [:])
            return
        }
        self.metricsMissedInARow = 0
        let raw = snapshot
        self.ownPolls.subtract(from: &snapshot, result)
        var sinceLast: Figures?
        if let last = self.recent.last {
            sinceLast = Figures(from: last.snapshot, to: snapshot, seconds: result.receivedAt - last.time)
            if sinceLast == nil {
                // Earlier counters belong to another run: nothing of them may be subtracted.
                self.recent.removeAll()
                self.ownPolls = OwnPolls()
                snapshot = raw
                self.ownPolls.subtract(from: &snapshot, result)
                self.figures = nil
                self.storeUse = []
                self.session.restarts += 1
                told.append(self.event(result, .warning, "was restarted: its counters start at 0"))
            }
        }
        self.recent.append((result.receivedAt, snapshot))
        while self.recent.count > Self.windowPolls + 1,
            self.recent[1].time <= result.receivedAt - Self.windowSeconds
        {
            self.recent.removeFirst()
        }
        self.metrics = snapshot
        self.handlerNames = snapshot.handlers.map(\.name)
        self.storeUse.formUnion(StoreUse(snapshot))
        if let first = self.recent.first, self.recent.count > 1 {
            var figures = Figures(from: first.snapshot, to: snapshot, seconds: result.receivedAt - first.time)
            figures?.judge(thresholds, before: self.figures)
            self.figures = figures
        }
        self.note(sinceLast, snapshot, at: result.receivedAt)
    }

    /// Adds a poll to the history and to the totals.
    private mutating func note(_ sinceLast: Figures?, _ snapshot: MetricsSnapshot, at time: Double) {
        var values: [History.Series: Double] = [:]
        if let sinceLast, let figures = self.figures {
            for handler in sinceLast.handlers { values[.handlerRate(handler.name)] = handler.rate }
            values[.rate] = sinceLast.data.rate
            values[.p50] = figures.data.quantile(0.5).number
            values[.p95] = figures.data.quantile(0.95).number
            values[.p99] = figures.data.quantile(0.99).number
            values[.errorRatio] = figures.data.errorRatio
            values[.appendedBytesRate] = sinceLast.appendedBytesRate
            values[.syncRate] = sinceLast.syncRate
            values[.syncP99] = figures.sync.quantile(0.99).number
            values[.cpu] = sinceLast.cpu
            self.session.requests += sinceLast.data.counts.requests
            self.session.serverErrors += sinceLast.data.counts.serverErrors
            self.session.peakRate = max(self.session.peakRate, sinceLast.data.rate)
        }
        values[.logSize] = snapshot["kv_log_size_bytes"]
        values[.residentBytes] = snapshot["process_resident_memory_bytes"]
        values[.garbageRatio] = self.garbageRatio
        self.history.append(time: time, values)
    }

    // MARK: Admin

    private mutating func takeAdmin(
        _ result: PollResult, _ thresholds: Thresholds, _ told: inout [DashboardEvent]
    ) {
        guard case .success(let document) = result.admin else {
            self.adminMissedInARow += 1
            if self.adminMissedInARow >= Self.missedLimit || self.availability == .down { self.admin = nil }
            return
        }
        self.adminMissedInARow = 0
        if let before = self.admin { told += self.changes(from: before, to: document, result) }
        self.admin = document
        self.garbageLevel = thresholds.garbageRatio.level(of: self.garbageThatMatters, before: self.garbageLevel)
        self.diskLevel = thresholds.diskUse.level(of: self.diskUse, before: self.diskLevel)
    }

    private mutating func takeEvents(_ result: PollResult, _ told: inout [DashboardEvent]) {
        guard let events = result.events else { return }
        self.reportsEvents = true
        for event in events {
            // Numbers start again after a restart of the service.
            if event.instance != self.newestEvent.instance { self.newestEvent = (event.instance, 0) }
            guard event.number > self.newestEvent.number else { continue }
            self.newestEvent.number = event.number
            told.append(
                DashboardEvent(at: event.at, source: self.target.name, level: event.level, text: event.text))
        }
    }
}
