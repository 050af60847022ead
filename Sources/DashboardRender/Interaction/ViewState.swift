package import DashboardModel

/// The operator's choices. A value: each key creates a new one.
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
        /// The default order of the table: the store's operations first, by name.
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

    /// A line above the keys that disappears after some time.
    package struct Message: Sendable, Equatable {
        package var text: String
        package var level: DashboardEvent.Level
        /// Monotonic seconds.
        package var until: Double
    }

    /// The state of a replay.
    package struct Replay: Sendable, Equatable {
        /// Seconds from the start of the recording.
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
    /// The panel of the overview that receives keys.
    package var focus = View.kvService
    /// Index of the kv-service that is shown.
    package var kvIndex = 0
    package var sort = SortColumn.standard
    package var isReversed = false
    /// Shows handlers whose name contains it or, with `!` before it, does not contain it.
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
    /// Monotonic seconds for messages in a replay, whose own time runs at another speed or pauses.
    package var replayClock: Double?
    /// Offset of the displayed time zone from UTC in seconds, at a moment in seconds since 1970: the offset changes
    /// between summer and winter, and displayed times may be from before the change.
    package var utcOffset: @Sendable (Double) -> Double = { _ in 0 }
    /// The content of the screen when it was paused, and when, in monotonic seconds.
    package private(set) var paused: (dashboard: Dashboard, since: Double)?

    package init() {}

    /// Freezes the screen, or continues.
    package mutating func togglePause(_ dashboard: Dashboard) {
        self.paused = self.paused == nil ? (dashboard, dashboard.now) : nil
    }

    package mutating func show(_ text: String, _ level: DashboardEvent.Level = .info, now: Double, seconds: Double = 5)
    {
        self.message = Message(text: text, level: level, until: now + seconds)
    }

    /// The clock for messages.
    func messageTime(_ dashboard: Dashboard) -> Double { self.replayClock ?? dashboard.now }

    /// The view of the panel with the focus: on the overview the view of that panel.
    var focusedView: View { self.view == .overview ? self.focus : self.view }
}
