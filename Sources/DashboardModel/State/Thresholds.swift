/// Severity of a figure. Shown as a character as well as a colour: `!` is a warning, `X` is critical.
public enum AlarmLevel: Int, Sendable, Comparable {
    case none, warning, critical

    public static func < (left: AlarmLevel, right: AlarmLevel) -> Bool { left.rawValue < right.rawValue }
}

/// The values at which a figure becomes a warning and critical.
public struct Threshold: Sendable, Equatable {
    public var warning: Double
    public var critical: Double

    public init(warning: Double, critical: Double) {
        self.warning = warning
        self.critical = critical
    }

    /// The level of a value. A level begins at its limit and ends at 90 % of it, so that a figure near the limit does
    /// not flicker.
    public func level(of value: Double?, before: AlarmLevel) -> AlarmLevel {
        guard let value else { return .none }
        if value >= self.critical || (before == .critical && value >= 0.9 * self.critical) { return .critical }
        if value >= self.warning || (before >= .warning && value >= 0.9 * self.warning) { return .warning }
        return .none
    }
}

/// The limits of the dashboard.
public struct Thresholds: Sendable, Equatable {
    /// Server errors as a share of all requests, 0 to 1.
    public var errorRatio = Threshold(warning: 0.01, critical: 0.05)
    /// Seconds.
    public var p99 = Threshold(warning: 0.1, critical: 0.5)
    /// Seconds.
    public var syncP99 = Threshold(warning: 0.01, critical: 0.05)
    /// 0 to 1.
    public var garbageRatio = Threshold(warning: 0.3, critical: 0.5)
    /// Used share of the log's file system, 0 to 1.
    public var diskUse = Threshold(warning: 0.8, critical: 0.95)
    /// Used share of the nearest memory limit, 0 to 1. From 0.9 on, sets that add data are refused.
    public var memoryUse = Threshold(warning: 0.8, critical: 0.9)

    public init() {}
}
