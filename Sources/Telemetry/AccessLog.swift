public import JSONLogging
public import Logging

/// One line per request, with the same members as every other log line (level, time, service, message `request`) and
/// those of the request.
///
/// Answers of 500 and above are errors, all others are info. Health probes and scrapes are debug, or info if they fail.
/// A line contains no query string, because keys are in it. Any thread may use it.
public final class AccessLog: Sendable {
    public let service: String
    private let output: LogOutput
    private let level: SharedLogLevel

    public init(output: LogOutput, service: String, level: SharedLogLevel) {
        self.output = output
        self.service = service
        self.level = level
    }

    /// Whether a line with this status would be written; building one costs time.
    func wants(status: UInt, isProbe: Bool) -> Bool {
        Self.level(status: status, isProbe: isProbe) >= self.level.value
    }

    /// Passes complete lines on.
    func submit(_ lines: [UInt8], count: Int) {
        self.output.submit(lines, count: count)
    }

    public static func level(status: UInt, isProbe: Bool) -> Logger.Level {
        if status >= 500 { return isProbe ? .info : .error }
        return isProbe ? .debug : .info
    }
}
