public import DashboardModel

/// The operator's choices. A value: each key creates a new one.
public struct ViewState: Sendable {
    public enum View: Int, Sendable, CaseIterable {
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

    public enum SortColumn: String, Sendable, CaseIterable {
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

    public enum Theme: String, Sendable, CaseIterable {
        case dark, light, mono
        case highContrast = "high-contrast"
    }

    /// A question that waits for an answer.
    public enum Dialog: Sendable, Equatable {
        case compact(target: Int)
    }

    /// A line above the keys that disappears after some time.
    public struct Message: Sendable, Equatable {
        public var text: String
        public var level: DashboardEvent.Level
        /// Monotonic seconds.
        public var until: Double
    }

    /// The state of a replay.
    public struct Replay: Sendable, Equatable {
        /// Seconds from the start of the recording.
        public var position: Double
        public var duration: Double
        public var speed: Double
        public var isPaused = false

        public init(position: Double, duration: Double, speed: Double) {
            self.position = position
            self.duration = duration
            self.speed = speed
        }
    }

    public static let intervals = [0.25, 0.5, 1, 2, 5, 10]
    public static let graphWindows = [60.0, 300, 900, 3_600]
    public static let replaySpeeds = [0.5, 1, 2, 5, 10, 60]

    public var view = View.overview
    /// The panel of the overview that receives keys.
    public var focus = View.kvService
    /// Index of the kv-service that is shown.
    public var kvIndex = 0
    public var sort = SortColumn.standard
    public var isReversed = false
    /// Shows handlers whose name contains it or, with `!` before it, does not contain it.
    public var filter = ""
    public var isEditingFilter = false
    public var graphWindowSeconds = 300.0
    public var intervalSeconds = 1.0
    public var units = Quantity.Units.si
    public var theme = Theme.dark
    public var isHelpShown = false
    public var dialog: Dialog?
    public var scroll = 0
    public var message: Message?
    public var isReadOnly = false
    public var replay: Replay?
    /// Monotonic seconds for messages in a replay, whose own time runs at another speed or pauses.
    public var replayClock: Double?
    /// Offset of the displayed time zone from UTC in seconds, at a moment in seconds since 1970: the offset changes
    /// between summer and winter, and displayed times may be from before the change.
    public var utcOffset: @Sendable (Double) -> Double = { _ in 0 }
    /// The content of the screen when it was paused, and when, in monotonic seconds.
    public private(set) var paused: (dashboard: Dashboard, since: Double)?

    public init() {}

    /// Freezes the screen, or continues.
    public mutating func togglePause(_ dashboard: Dashboard) {
        self.paused = self.paused == nil ? (dashboard, dashboard.now) : nil
    }

    public mutating func show(_ text: String, _ level: DashboardEvent.Level = .info, now: Double, seconds: Double = 5) {
        self.message = Message(text: text, level: level, until: now + seconds)
    }

    /// The clock for messages.
    func messageTime(_ dashboard: Dashboard) -> Double { self.replayClock ?? dashboard.now }

    /// The view of the panel with the focus: on the overview the view of that panel.
    var focusedView: View { self.view == .overview ? self.focus : self.view }
}
