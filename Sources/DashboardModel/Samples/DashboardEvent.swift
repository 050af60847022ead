public import JSON

/// One line of the event list: an event that a service reports at `/admin/events`, or one that kvtop detected.
public struct DashboardEvent: Sendable, Equatable {
    public enum Level: Int, Sendable, Comparable {
        case info, warning, error

        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }

        /// From a service's word; an unknown word is information.
        public init(word: String?) {
            switch word {
            case "warn", "warning": self = .warning
            case "error", "critical", "fatal": self = .error
            default: self = .info
            }
        }
    }

    /// Seconds since 1970.
    public var at: Double
    /// The name of the target, such as `kv` or `gw`.
    public var source: String
    public var level: Level
    public var text: String

    public init(at: Double, source: String, level: Level, text: String) {
        self.at = at
        self.source = source
        self.level = level
        self.text = text
    }
}

/// An entry of a service's `/admin/events`.
public struct ServiceEvent: Sendable, Equatable {
    /// Identifies the run of the service's process; numbers start again with each run.
    public var instance: String
    /// Counts the events of this run from 1.
    public var number: Int
    public var at: Double
    public var level: DashboardEvent.Level
    public var text: String

    public init(instance: String, number: Int, at: Double, level: DashboardEvent.Level, text: String) {
        self.instance = instance
        self.number = number
        self.at = at
        self.level = level
        self.text = text
    }

    /// Reads a document of `GET /admin/events`.
    ///
    /// - Returns: oldest first, at most 256; entries without a number, a time or a message are skipped.
    public static func list(parsing text: [UInt8]) throws(JSONSyntaxError) -> [ServiceEvent] {
        let tree = try JSONTree(parsing: text)
        let instance = tree["instance_id"]?.string ?? ""
        let entries = (tree["events"]?.elements ?? []).compactMap { entry -> ServiceEvent? in
            guard let number = entry["number"]?.int, let at = entry["time"]?.string.flatMap(InstantText.seconds),
                let message = entry["message"]?.string
            else { return nil }
            return ServiceEvent(
                instance: instance, number: number, at: at,
                level: DashboardEvent.Level(word: entry["severity"]?.string),
                text: message + Self.addition(kind: entry["kind"]?.string, entry["details"] ?? .null))
        }
        return Array(entries.sorted { $0.number < $1.number }.suffix(256))
    }

    /// The details that are added to the message, on one line.
    private static func addition(kind: String?, _ details: JSONTree) -> String {
        if kind == "compaction_ended", details["result"]?.string == "ok",
            let seconds = details["duration_seconds"]?.double, let before = details["bytes_before"]?.double,
            let after = details["bytes_after"]?.double
        {
            return " in \(Quantity.duration(seconds)), \(Compaction.Run.freedText(before - after))"
        }
        if kind == "log_level_changed", let from = details["from"]?.string, let to = details["to"]?.string {
            return ": \(from), now \(to)"
        }
        for name in ["detail", "error", "finding", "reason", "file"] {
            if let text = details[name]?.string { return ": \(text)" }
        }
        return ""
    }
}

/// RFC 3339 times.
public enum InstantText {
    /// Seconds since 1970 for a time in UTC such as `2026-11-22T21:58:14.123Z`; nil for any other text.
    public static func seconds(_ text: String) -> Double? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z"), bytes[10] == UInt8(ascii: "T") else { return nil }
        func number(_ range: Range<Int>) -> Int? { Int(String(decoding: bytes[range], as: UTF8.self)) }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16),
            let second = Double(String(decoding: bytes[17..<(bytes.count - 1)], as: UTF8.self)),
            (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        // Days of the Gregorian calendar since 1970; years begin in March, so that the leap day is the last day.
        let marchYear = month <= 2 ? year - 1 : year
        let era = marchYear / 400
        let yearOfEra = marchYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        return Double(days * 86_400 + hour * 3_600 + minute * 60) + second
    }
}
