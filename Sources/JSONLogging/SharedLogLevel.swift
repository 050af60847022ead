public import Logging
import Synchronization

/// The level of the whole process: every handler reads it for each message, so a change applies immediately and
/// everywhere.
public final class SharedLogLevel: Sendable {
    private let index: Atomic<Int>

    public init(_ level: Logger.Level) {
        self.index = Atomic(level.index)
    }

    /// Messages below this level are not logged. Any thread may read and change it.
    public var value: Logger.Level {
        get { Logger.Level.allCases[self.index.load(ordering: .relaxed)] }
        set { self.index.store(newValue.index, ordering: .relaxed) }
    }
}

extension Logger.Level {
    /// The index in `allCases`, which lists the levels from `trace` to `critical`.
    fileprivate var index: Int {
        switch self {
        case .trace: 0
        case .debug: 1
        case .info: 2
        case .notice: 3
        case .warning: 4
        case .error: 5
        case .critical: 6
        }
    }

    /// The level as written by zerolog: `notice` is `info`, `warning` is `warn`, `critical` is `fatal`.
    public var zerologName: StaticString {
        switch self {
        case .trace: "trace"
        case .debug: "debug"
        case .info, .notice: "info"
        case .warning: "warn"
        case .error: "error"
        case .critical: "fatal"
        }
    }
}
