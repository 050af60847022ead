import HTTP1
import KeyValueHTTP
import NIOHTTP1

/// The upstreams at one time, and which of them has which keys. Does not change: a reload makes another. Any thread.
final class UpstreamTable: Sendable {
    struct Entry: Sendable {
        let route: UpstreamRoute
        let upstream: Upstream
    }

    /// In the order of the file; at least one.
    let entries: [Entry]
    private let spaces: KeySpaces
    /// Whether every key belongs to the only upstream.
    let isWhole: Bool

    init(_ entries: [Entry]) {
        precondition(!entries.isEmpty, "a gateway without an upstream")
        self.entries = entries
        self.spaces = KeySpaces(entries.map(\.route))
        self.isWhole = self.spaces.onlyOwner != nil && entries.count == 1
    }

    /// The upstream of this key, as its place in ``entries``.
    ///
    /// - Parameter applied: of the problem: `.no` for requests that write, nil for reads.
    /// - Throws: 400 `no_upstream`.
    func place(of key: UnsafeRawBufferPointer, applied: Problem.Applied?) throws(Problem) -> Int {
        guard let place = unsafe self.spaces.owner(of: key) else { throw Self.noUpstream(applied) }
        return place
    }

    func place(of key: [UInt8], applied: Problem.Applied?) throws(Problem) -> Int {
        // The pointer is used only for this call.
        try unsafe key.span.withUnsafeBytes { (key) throws(Problem) in try unsafe self.place(of: key, applied: applied)
        }
    }

    /// The upstream of all of these keys.
    ///
    /// - Throws: 400 `no_upstream`, `spans_upstreams`.
    func place(ofAll keys: some Sequence<[UInt8]>, applied: Problem.Applied?) throws(Problem) -> Int {
        var places: [Int] = []
        for key in keys {
            let place = try self.place(of: key, applied: applied)
            if !places.contains(place) { places.append(place) }
        }
        guard places.count == 1 else {
            throw Problem(
                .badRequest, code: Self.spansUpstreams.code,
                detail: """
                    The keys belong to several upstreams (\(self.names(places))), which the gateway cannot read or write \
                    as one; send a request for those of each.
                    """,
                applied: applied)
        }
        return places[0]
    }

    /// The upstream of all keys from `start` on and before `end`, if there is an end.
    ///
    /// - Throws: 400 `no_upstream`, `spans_upstreams`.
    func place(from start: [UInt8], to end: [UInt8]?) throws(Problem) -> Int {
        let owners = self.spaces.owners(from: start, to: end)
        guard owners.count > 1 else {
            guard let place = owners.first ?? nil else { throw Self.noUpstream(nil) }
            return place
        }
        let rest = owners.contains(nil) ? "; no upstream has the other keys" : ""
        throw Problem(
            .badRequest, code: Self.spansUpstreams.code,
            detail: """
                The prefix or range is not within the keys of one upstream (\(self.names(owners.compactMap(\.self)))\(rest)); \
                send a request for the keys of each.
                """)
    }

    /// The upstream of a watch.
    ///
    /// - Throws: 400 `no_upstream`, `spans_upstreams`.
    func place(of selection: WatchRequest.Selection) throws(Problem) -> Int {
        guard selection.isPrefix else { return try self.place(of: selection.bytes, applied: nil) }
        return try self.place(from: selection.bytes, to: KeysRequest.end(ofPrefix: selection.bytes))
    }

    private func names(_ places: [Int]) -> String {
        places.map { self.entries[$0].route.name }.joined(separator: ", ")
    }

    // MARK: Problems

    static let noUpstream = ProblemKind(400, "no_upstream")
    static let spansUpstreams = ProblemKind(400, "spans_upstreams")

    private static func noUpstream(_ applied: Problem.Applied?) -> Problem {
        Problem(
            .badRequest, code: self.noUpstream.code,
            detail: "No upstream of this gateway has the key; see --routes-file.", applied: applied)
    }
}
