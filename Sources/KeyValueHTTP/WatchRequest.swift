public import HTTP1
public import HTTPServing
import JSON
public import NIOCore
import NIOHTTP1

/// A request to watch changes: `prefix` or `key`, `since`, `previous`, `mode`; for a poll `wait_ms` and `limit`.
public struct WatchRequest: Sendable, Equatable {
    public static let defaultWaitMilliseconds = 30_000
    public static let maxWaitMilliseconds = 60_000
    public static let defaultLimit = 100
    public static let maxLimit = 1_000
    private static let parameters: [StaticString] = ["prefix", "key", "since", "previous", "mode", "wait_ms", "limit"]

    public enum Mode: Sendable, Equatable {
        case stream
        /// - Parameter limit: the most events in the answer.
        case poll(waitMilliseconds: Int, limit: Int)
    }

    /// The changes of which keys.
    public struct Selection: Sendable, Hashable {
        /// The key, or what keys begin with.
        public let bytes: [UInt8]
        public let isPrefix: Bool
        /// Whether the previous values are part of the changes.
        public let withPrevious: Bool
    }

    public let selection: Selection
    /// Only later changes; nil: those from now on.
    public let since: UInt64?
    public let mode: Mode

    /// - Throws: 400 `bad_query`, `bad_revision`, errors of ``QueryParameters``; 403 `forbidden`.
    public init(of request: HTTPRequest) throws(Problem) {
        try self.init(query: request.query, lastEventIDs: request.headers.values(of: "last-event-id"))
        let bytes = self.selection.bytes
        if self.selection.isPrefix {
            try request.checkAccess(from: bytes, to: KeysRequest.end(ofPrefix: bytes))
        } else {
            try request.checkAccess(to: bytes, applied: nil)
        }
    }

    /// - Parameter lastEventIDs: the values of `Last-Event-ID`, which wins over `since`.
    init(query: String?, lastEventIDs: [String]) throws(Problem) {
        let query = try QueryParameters(query, allowed: Self.parameters)
        let (key, prefix) = (query.bytes("key"), query.bytes("prefix"))
        if key != nil, prefix != nil { throw Self.badQuery("The query has a key and a prefix; send one of them.") }
        if let key, key.isEmpty { throw Self.badQuery("The key is empty; send a prefix to watch several keys.") }
        self.selection = Selection(
            bytes: key ?? prefix ?? [], isPrefix: key == nil, withPrevious: try query.flag("previous"))
        self.since = try Self.since(query.bytes("since"), lastEventIDs)
        self.mode = try Self.mode(query)
    }

    private static func since(_ since: [UInt8]?, _ lastEventIDs: [String]) throws(Problem) -> UInt64? {
        // Checked also where `Last-Event-ID` wins.
        let parameter = try since.map { digits throws(Problem) in
            guard let revision = Self.revision(digits) else {
                throw Self.badRevision("since must be a revision: a number of up to 20 digits.")
            }
            return revision
        }
        let sent = lastEventIDs.filter { !$0.isEmpty }
        if sent.count > 1 { throw Self.badRevision("Last-Event-ID must occur once.") }
        if let id = sent.first {
            guard let revision = Self.revision(Array(id.utf8)) else {
                throw Self.badRevision("Last-Event-ID must be the id of an event.")
            }
            return revision
        }
        return parameter
    }

    private static func revision(_ digits: [UInt8]) -> UInt64? {
        guard (1...20).contains(digits.count), digits.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 })
        else { return nil }
        return UInt64(String(decoding: digits, as: UTF8.self))
    }

    private static func mode(_ query: QueryParameters) throws(Problem) -> Mode {
        let (wait, limit) = (query.bytes("wait_ms"), query.bytes("limit"))
        let mode = query.bytes("mode").map { String(decoding: $0, as: UTF8.self) } ?? "stream"
        switch mode {
        case "poll":
            return .poll(
                waitMilliseconds: try Self.number(
                    "wait_ms", wait, in: 0...Self.maxWaitMilliseconds, default: Self.defaultWaitMilliseconds),
                limit: try Self.number("limit", limit, in: 1...Self.maxLimit, default: Self.defaultLimit))
        case "stream":
            if wait != nil || limit != nil { throw Self.badQuery("wait_ms and limit are for mode=poll only.") }
            return .stream
        default: throw Self.badQuery("mode must be stream or poll.")
        }
    }

    private static func number(
        _ name: StaticString, _ digits: [UInt8]?, in range: ClosedRange<Int>, default missing: Int
    ) throws(Problem) -> Int {
        guard let digits else { return missing }
        guard digits.count <= 6, let number = Self.revision(digits).map({ Int($0) }), range ~= number else {
            throw Self.badQuery("\(name) must be a number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    private static func badQuery(_ detail: String) -> Problem {
        Problem(.badRequest, code: "bad_query", detail: detail)
    }

    private static func badRevision(_ detail: String) -> Problem {
        Problem(.badRequest, code: "bad_revision", detail: detail)
    }
}

extension WatchRequest {
    /// Appends the query of this request, in which `since` stands for `Last-Event-ID` too.
    public func writeQuery(to buffer: inout ByteBuffer) {
        buffer.writeStaticString(self.selection.isPrefix ? "prefix=" : "key=")
        buffer.writeWithOutputRawSpan(minimumWritableBytes: 3 * self.selection.bytes.count) { output in
            unsafe self.selection.bytes.withUnsafeBytes { bytes in
                unsafe PercentEncoding.appendQueryComponent(bytes, to: &output)
            }
        }
        if let since = self.since { buffer.writeString("&since=\(since)") }
        if self.selection.withPrevious { buffer.writeStaticString("&previous=true") }
        if case .poll(let wait, let limit) = self.mode {
            buffer.writeString("&mode=poll&wait_ms=\(wait)&limit=\(limit)")
        }
    }

    /// 410 `revision_compacted`, with the member `oldest_revision`.
    public static func compacted(since revision: UInt64, oldest: UInt64) -> Problem {
        var problem = Problem(
            .gone, code: "revision_compacted",
            detail:
                "The changes after revision \(revision) are not kept any more. Read the keys again, and watch from the "
                + "revision of that answer; the oldest one to watch from is \(oldest).")
        problem.add("oldest_revision", oldest)
        return problem
    }

    /// 400 `revision_in_the_future`, with the member `revision`.
    public static func future(since revision: UInt64, newest: UInt64) -> Problem {
        var problem = Problem(
            .badRequest, code: "revision_in_the_future",
            detail:
                "Nothing has revision \(revision) yet; the newest one is \(newest). If the revision is from this store, "
                + "its log has lost it.")
        problem.add("revision", newest)
        return problem
    }

    public static func tooMany(limit: Int) -> Problem {
        Problem(
            .serviceUnavailable, code: "too_many_watchers",
            detail: "All \(limit) watchers are in use (--max-watchers); try again later.",
            headers: [("Retry-After", "5")])
    }

    public static let disabled = Problem(
        .notImplemented, code: "watch_disabled",
        detail: "kv-service keeps no changes to watch (--watch-history-bytes 0).")
}
