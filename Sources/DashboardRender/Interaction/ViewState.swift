package import DashboardModel

/// What the operator has chosen to see. A value: a key makes another one of it.
package struct ViewState: Sendable {
    package enum View: Int, Sendable, CaseIterable {
        case overview = 1
        case kvService, gateway, log, events

        var title: String {
            switch self {
            case .overview: "overview"
            case .kvService: "kv-service"
            case .gateway: "gateway"
            case .log: "log and compaction"
            case .events: "events"
            }
        }
    }

    package enum SortColumn: String, Sendable, CaseIterable {
        /// As the table is without a choice: the store's operations first, by name.
        case standard = "default"
        case name, rate, errors, p50, p95, p99

        var label: String {
            switch self {
            case .rate: "req/s"
            case .errors: "err%"
            default: self.rawValue
            }
        }
    }

    package enum Theme: String, Sendable, CaseIterable {
        case dark, light, mono
        case highContrast = "high-contrast"
    }

    /// A question that waits for an answer.
    package enum Dialog: Sendable, Equatable {
        case compact(target: Int)
    }

    /// A line above the keys that goes away by itself.
    package struct Message: Sendable, Equatable {
        package var text: String
        package var level: DashboardEvent.Level
        /// Monotonic seconds.
        package var until: Double
    }

    /// What a replay is at.
    package struct Replay: Sendable, Equatable {
        /// Seconds from the beginning of the recording.
        package var position: Double
        package var duration: Double
        package var speed: Double
        package var isPaused = false

        package init(position: Double, duration: Double, speed: Double) {
            self.position = position
            self.duration = duration
            self.speed = speed
        }
    }

    package static let intervals = [0.25, 0.5, 1, 2, 5, 10]
    package static let graphWindows = [60.0, 300, 900, 3_600]
    package static let replaySpeeds = [0.5, 1, 2, 5, 10, 60]

    package var view = View.overview
    /// The panel of the overview that keys go to.
    package var focus = View.kvService
    /// Which of several kv-services is shown.
    package var kvIndex = 0
    package var sort = SortColumn.standard
    package var isReversed = false
    /// Handlers whose name contains it, or with `!` before it does not.
    package var filter = ""
    package var isEditingFilter = false
    package var graphWindowSeconds = 300.0
    package var intervalSeconds = 1.0
    package var units = Quantity.Units.si
    package var theme = Theme.dark
    package var isHelpShown = false
    package var dialog: Dialog?
    package var scroll = 0
    package var message: Message?
    package var isReadOnly = false
    package var replay: Replay?
    /// Monotonic seconds that messages go by in a replay, whose own time runs at another speed or stands still.
    package var replayClock: Double?
    /// By how many seconds the zone of the times on the screen is ahead of UTC at a moment in seconds since 1970: the
    /// rules of a zone change between summer and winter, and what is shown may be of before the change.
    package var utcOffset: @Sendable (Double) -> Double = { _ in 0 }
    /// What was on the screen when it was paused, and when, in monotonic seconds.
    package private(set) var paused: (dashboard: Dashboard, since: Double)?

    package init() {}

    /// Freezes the screen at what it shows, or lets it go on.
    package mutating func togglePause(_ dashboard: Dashboard) {
        self.paused = self.paused == nil ? (dashboard, dashboard.now) : nil
    }

    package mutating func show(_ text: String, _ level: DashboardEvent.Level = .info, now: Double, seconds: Double = 5)
    {
        self.message = Message(text: text, level: level, until: now + seconds)
    }

    /// The time that messages go by.
    func messageTime(_ dashboard: Dashboard) -> Double { self.replayClock ?? dashboard.now }

    /// Which view the panels on the screen belong to: that of the focus on the overview.
    var focusedView: View { self.view == .overview ? self.focus : self.view }
}
