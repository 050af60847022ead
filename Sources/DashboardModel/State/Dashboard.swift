/// The whole state of kvtop: a value, so that a paused screen keeps its copy while the original continues.
public struct Dashboard: Sendable {
    /// Maximum number of events; the oldest are removed first.
    public static let eventLimit = 256

    public private(set) var targets: [TargetState]
    /// Oldest first.
    public private(set) var events: [DashboardEvent] = []
    /// The time of each event in monotonic seconds: see ``note(_:)``.
    private var eventTimes: [Double] = []
    /// Number of all events so far.
    public private(set) var eventCount = 0
    public var thresholds: Thresholds
    /// Monotonic and wall-clock seconds, as of the newest poll or ``advance(now:wallTime:)``.
    public private(set) var now: Double
    public private(set) var wallTime: Double

    public init(targets: [Target], now: Double, wallTime: Double, thresholds: Thresholds = Thresholds()) {
        self.targets = targets.map { TargetState($0, now: now) }
        self.now = now
        self.wallTime = wallTime
        self.thresholds = thresholds
    }

    /// Sets the clock. It never goes backwards.
    public mutating func advance(now: Double, wallTime: Double) {
        self.now = max(self.now, now)
        self.wallTime = wallTime
    }

    /// Processes a poll. Ignores a poll of an unknown target.
    public mutating func apply(_ result: PollResult) {
        guard self.targets.indices.contains(result.target) else { return }
        self.advance(now: result.receivedAt, wallTime: result.wallTime)
        for event in self.targets[result.target].apply(result, self.thresholds) { self.note(event) }
    }

    /// Adds an event at its time: as long before now as it is before the wall clock's now. So if the wall clock is set
    /// back, later events still come last.
    public mutating func note(_ event: DashboardEvent) {
        let time = self.now - max(0, self.wallTime - event.at)
        let index = self.eventTimes.lastIndex { $0 <= time }.map { $0 + 1 } ?? 0
        self.events.insert(event, at: index)
        self.eventTimes.insert(time, at: index)
        self.eventCount += 1
        if self.events.count > Self.eventLimit {
            self.events.removeFirst()
            self.eventTimes.removeFirst()
        }
    }

    /// Resets the totals and peaks of the session.
    public mutating func resetSession() {
        for index in self.targets.indices { self.targets[index].session = SessionTotals(since: self.now) }
    }

    public var kvServices: [TargetState] { self.targets.filter { $0.target.role == .kvService } }

    public var gateways: [TargetState] { self.targets.filter { $0.target.role == .gateway } }

    /// Number of figures beyond their limits, conditions, and targets that are down.
    public var alarmCount: Int { self.targets.reduce(0) { $0 + $1.alarmCount } }

    /// The conditions of all services, the worst first, each with the name of its service.
    public var conditions: [(service: String, condition: Condition)] {
        let all = self.targets.flatMap { target in target.conditions.map { (target.target.name, $0) } }
        return all.filter { $0.1.level == .critical } + all.filter { $0.1.level != .critical }
    }

    /// Whether every target has been polled at least once.
    public var isComplete: Bool { self.targets.allSatisfy { $0.session.polls > 0 } }
}
