import JSON
import Logging
import SystemSupport

extension JSONWriter {
    /// The members that begin every line of the log: `level`, `time`, `service`, `message`.
    /// - Parameter time: nanoseconds since 1970.
    mutating func logMembers(
        level: Logger.Level,
        time: UInt64 = WallClock.nanoseconds(),
        service: String,
        message: String
    ) {
        self.beginMember("level")
        self.append("\"")
        self.append(level.zerologName)
        self.append("\"")
        self.memberTimestamp("time", nanosecondsSince1970: time)
        self.member("service", service)
        self.member("message", message)
    }
}
