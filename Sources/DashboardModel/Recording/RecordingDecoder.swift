import JSON

/// Decodes the lines of a recording in order; see ``RecordingEncoder``.
public struct RecordingDecoder: Sendable {
    /// The text of the newest scrape of each target, as lines.
    private var lines: [Int: [[UInt8]]] = [:]

    public init() {}

    /// The next changes refer to texts that were not read: they are skipped until the next complete text.
    public mutating func forget() {
        self.lines = [:]
    }

    /// The poll of a line; nil for a line of changes whose complete text was not read before, such as after a seek.
    ///
    /// - Throws: the error in the line.
    public mutating func poll(parsing line: [UInt8]) throws(RecordingError) -> RawPoll? {
        let tree: JSONTree
        do { tree = try JSONTree(parsing: line) } catch { throw RecordingError("\(error)") }
        guard let target = tree["target"]?.int, let receivedAt = tree["monotonic"]?.double,
            let wallTime = tree["at"]?.double
        else { throw RecordingError("a poll without a target or a time") }
        let metrics: Result<[UInt8], PollFailure>
        if let failure = Self.failure(tree, "metrics_error") {
            metrics = .failure(failure)
        } else {
            guard let text = try self.metrics(tree, target) else { return nil }
            metrics = .success(text)
        }
        let admin: Result<[UInt8], PollFailure>
        if let text = tree["admin"]?.string {
            admin = .success(Array(text.utf8))
        } else {
            admin = .failure(Self.failure(tree, "admin_error") ?? PollFailure("not recorded"))
        }
        return RawPoll(
            target: target, receivedAt: receivedAt, wallTime: wallTime,
            roundTripSeconds: tree["round_trip"]?.double ?? 0, metrics: metrics, admin: admin,
            events: tree["events"]?.string.map { Array($0.utf8) })
    }

    private static func failure(_ tree: JSONTree, _ name: String) -> PollFailure? {
        guard let reason = tree[name]?.string else { return nil }
        return PollFailure(reason, isAnswer: tree["\(name)_is_answer"]?.bool ?? false)
    }

    private mutating func metrics(_ tree: JSONTree, _ target: Int) throws(RecordingError) -> [UInt8]? {
        if let text = tree["metrics"]?.string {
            self.lines[target] = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                .map(Array.init)
            return Array(text.utf8)
        }
        guard let changes = tree["metrics_changes"] else { throw RecordingError("a poll without a scrape") }
        guard self.lines[target] != nil else { return nil }
        for change in changes.elements {
            guard change.elements.count == 2, let place = change.elements[0].int,
                let line = change.elements[1].string, self.lines[target]!.indices.contains(place)
            else { throw RecordingError("a change of a line that does not exist") }
            self.lines[target]![place] = Array(line.utf8)
        }
        return Array(self.lines[target]!.joined(separator: [UInt8(ascii: "\n")]))
    }

    /// The time of a line, without parsing the rest: it is the first member.
    public static func time(of line: ArraySlice<UInt8>) -> Double? {
        let prefix = Array("{\"monotonic\":".utf8)
        guard line.starts(with: prefix) else { return nil }
        let digits = line.dropFirst(prefix.count).prefix { $0 != UInt8(ascii: ",") }
        return Double(String(decoding: digits, as: UTF8.self)).flatMap { $0.isFinite ? $0 : nil }
    }
}
