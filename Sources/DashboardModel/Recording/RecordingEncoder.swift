import JSON

/// Writes polls as lines of a recording.
///
/// A recording consists of JSON lines: ``RecordingHeader``, then one line per poll,
///
///     {"monotonic":81.2,"target":0,"at":1795399382.1,"round_trip":0.002,"metrics":"…","admin":"…"}
///
/// with the bodies as they arrived. Few lines of `/metrics` change from one scrape to the next, so most polls contain
/// only those, as `"metrics_changes":[[17,"kv_keys 12"],…]` with their line numbers; each 60th poll of a target
/// contains the complete text, for seeking. A missing body is `"metrics_error":"connection refused"`.
public struct RecordingEncoder: Sendable {
    /// Number of polls of one target between two complete scrapes.
    static let keyframeDistance = 60

    private struct Last {
        var lines: [ArraySlice<UInt8>] = []
        var polls = 0
    }

    private var last: [Int: Last] = [:]

    public init() {}

    /// The line of a poll, with its line feed.
    public mutating func line(_ poll: RawPoll) -> [UInt8] {
        var writer = JSONWriter(reservingBytes: 16_384)
        let changes = self.changes(poll)
        writer.object { object in
            object.member("monotonic", poll.receivedAt)
            object.member("target", poll.target)
            object.member("at", poll.wallTime)
            object.member("round_trip", poll.roundTripSeconds)
            switch poll.metrics {
            case .failure(let failure): Self.write(failure, "metrics_error", to: &object)
            case .success(let text):
                if let changes {
                    object.member("metrics_changes", array: { Self.write(changes, to: &$0) })
                } else {
                    object.member("metrics", String(decoding: text, as: UTF8.self))
                }
            }
            switch poll.admin {
            case .failure(let failure): Self.write(failure, "admin_error", to: &object)
            case .success(let text): object.member("admin", String(decoding: text, as: UTF8.self))
            }
            if let events = poll.events { object.member("events", String(decoding: events, as: UTF8.self)) }
        }
        writer.newline()
        return writer.bytes
    }

    /// The lines of `/metrics` that differ from the previous poll; nil if the complete text must be written.
    private mutating func changes(_ poll: RawPoll) -> [(place: Int, line: ArraySlice<UInt8>)]? {
        guard case .success(let text) = poll.metrics else { return nil }
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        var last = self.last[poll.target] ?? Last()
        defer { self.last[poll.target] = Last(lines: lines, polls: last.polls + 1) }
        guard last.lines.count == lines.count, last.polls % Self.keyframeDistance != 0 else {
            if last.lines.count != lines.count { last.polls = 0 }
            return nil
        }
        return lines.indices.compactMap { lines[$0] == last.lines[$0] ? nil : ($0, lines[$0]) }
    }

    private static func write(_ failure: PollFailure, _ name: StaticString, to object: inout JSONWriter) {
        object.member(name, failure.reason)
        if failure.isAnswer { object.member(name: "\(name)_is_answer", true) }
    }

    private static func write(_ changes: [(place: Int, line: ArraySlice<UInt8>)], to array: inout JSONWriter) {
        for change in changes {
            array.element(array: { pair in
                pair.element(change.place)
                pair.element(String(decoding: change.line, as: UTF8.self))
            })
        }
    }
}
