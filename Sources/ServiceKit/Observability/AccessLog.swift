package import JSONLogging
import Logging

/// One line per request, in the shape of every other log line: level, time, service, message `request`, and the
/// request's own members.
///
/// Answers of 500 and above are errors, health probes and scrapes that succeed are debug, all others are info. There
/// is no query string in a line: keys are in it. Any thread may write.
package final class AccessLog: Sendable {
    /// Longest path and user agent that are shown, in bytes; what is beyond is cut.
    static let shownBytes = 256

    private let output: LogOutput
    private let service: String
    private let level: SharedLogLevel

    package init(output: LogOutput, service: String, level: SharedLogLevel) {
        self.output = output
        self.service = service
        self.level = level
    }

    /// Whether a line with this status would be written; building it costs something.
    func wants(status: UInt, isProbe: Bool) -> Bool {
        Self.level(status: status, isProbe: isProbe) >= self.level.value
    }

    func write(_ record: AccessRecord) {
        var writer = JSONWriter(reservingBytes: 512)
        writer.object { line in
            line.logMembers(
                level: Self.level(status: record.status, isProbe: record.isProbe),
                time: record.wallClockNanoseconds,
                service: self.service,
                message: "request"
            )
            record.write(to: &line)
        }
        writer.newline()
        self.output.submit(writer.bytes)
    }

    private static func level(status: UInt, isProbe: Bool) -> Logger.Level {
        if status >= 500 { return isProbe ? .info : .error }
        return isProbe ? .debug : .info
    }
}
