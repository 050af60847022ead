import HTTP1
import HTTPServing
import KeyValueHTTP
import NIOCore

/// The upstreams as one event loop has them: for each a pool, and a forwarder that sends requests over it. Confined to its
/// event loop.
final class LoopUpstreams {
    private(set) var table: UpstreamTable
    /// In the order of the table.
    private var forwarders: [KeyValueForwarder]
    /// The only one, if every key is its: then nothing is looked up.
    private var only: KeyValueForwarder?
    private let make: (Upstream) -> KeyValueForwarder
    /// One for each upstream on the event loop that probes, none on the others.
    private var probes: [UpstreamProbe] = []
    private var makeProbe: ((KeyValueForwarder) -> UpstreamProbe)?
    private var relays: [ObjectIdentifier: WatchRelay] = [:]

    /// - Parameter make: a forwarder with a pool of its own.
    init(_ table: UpstreamTable, make: @escaping (Upstream) -> KeyValueForwarder) {
        self.table = table
        self.make = make
        self.forwarders = table.entries.map { make($0.upstream) }
        self.only = table.isWhole ? self.forwarders[0] : nil
    }

    // MARK: Which upstream has a request

    /// - Parameter applied: of the problem: `.no` for requests that write, nil for reads.
    /// - Throws: 400 `no_upstream`.
    func forwarder(
        of key: UnsafeRawBufferPointer, applied: Problem.Applied?
    ) throws(Problem) -> KeyValueForwarder {
        if let only = self.only { return only }
        return self.forwarders[try unsafe self.table.place(of: key, applied: applied)]
    }

    func forwarder(of key: [UInt8], applied: Problem.Applied?) throws(Problem) -> KeyValueForwarder {
        if let only = self.only { return only }
        return self.forwarders[try self.table.place(of: key, applied: applied)]
    }

    /// - Parameter keys: at least one; not asked for if there is only one upstream.
    /// - Throws: 400 `no_upstream`, `spans_upstreams`.
    func forwarder(
        ofAll keys: @autoclosure () -> [[UInt8]], applied: Problem.Applied?
    ) throws(Problem) -> KeyValueForwarder {
        if let only = self.only { return only }
        return self.forwarders[try self.table.place(ofAll: keys(), applied: applied)]
    }

    /// Of all keys from `start` on and before `end`, if there is an end.
    ///
    /// - Throws: 400 `no_upstream`, `spans_upstreams`.
    func forwarder(from start: [UInt8], to end: [UInt8]?) throws(Problem) -> KeyValueForwarder {
        if let only = self.only { return only }
        return self.forwarders[try self.table.place(from: start, to: end)]
    }

    /// Whether a request is refused now because its upstream is overloaded: before its body is read. If its key is in the
    /// body, only if that is so of all upstreams.
    func refuses(_ request: HTTPRequest, isWrite: Bool) -> Bool {
        let now = request.receivedAtNanoseconds
        if let only = self.only { return only.pool.refuses(isWrite: isWrite, now: now) }
        if let key = KeyParameter.key(of: request) {
            // What no upstream has is refused for that reason, later.
            guard let forwarder = try? self.forwarder(of: key, applied: nil) else { return false }
            return forwarder.pool.refuses(isWrite: isWrite, now: now)
        }
        guard self.forwarders.dropFirst().allSatisfy({ $0.pool.wouldRefuse(isWrite: isWrite, now: now) }) else {
            return false
        }
        // Counted once.
        return self.forwarders[0].pool.refuses(isWrite: isWrite, now: now)
    }

    // MARK: Watches

    /// - Throws: 400 `no_upstream`, `spans_upstreams`.
    func upstream(of selection: WatchRequest.Selection) throws(Problem) -> Upstream {
        self.table.entries[self.table.isWhole ? 0 : try self.table.place(of: selection)].upstream
    }

    func began(_ relay: WatchRelay) { self.relays[ObjectIdentifier(relay)] = relay }

    func ended(_ relay: WatchRelay) { self.relays[ObjectIdentifier(relay)] = nil }

    // MARK: Changes

    /// Sends requests to the upstreams of another table from now on. Pools of upstreams that stay are kept; others are
    /// closed once the requests that they have are answered. Watches of keys that have another upstream now are ended.
    func take(_ table: UpstreamTable) {
        let old = zip(self.table.entries, self.forwarders).map { (upstream: $0.upstream, forwarder: $1) }
        self.table = table
        self.forwarders = table.entries.map { entry in
            old.first { $0.upstream === entry.upstream }?.forwarder ?? self.make(entry.upstream)
        }
        self.only = table.isWhole ? self.forwarders[0] : nil
        if let makeProbe = self.makeProbe { self.startProbes(makeProbe) }
        for relay in Array(self.relays.values) where self.upstreamOrNil(of: relay.selection) !== relay.upstream {
            relay.keysMoved()
        }
        for (upstream, forwarder) in old where !table.entries.contains(where: { $0.upstream === upstream }) {
            forwarder.retire()
        }
    }

    private func upstreamOrNil(of selection: WatchRequest.Selection) -> Upstream? {
        try? self.upstream(of: selection)
    }

    /// Probes the upstreams from now on, also those of later tables.
    func startProbes(_ make: @escaping (KeyValueForwarder) -> UpstreamProbe) {
        self.makeProbe = make
        let kept = self.probes.filter { probe in self.forwarders.contains { $0.pool === probe.pool } }
        for probe in self.probes where !kept.contains(where: { $0 === probe }) { probe.stop() }
        self.probes = self.forwarders.map { forwarder in
            if let probe = kept.first(where: { $0.pool === forwarder.pool }) { return probe }
            let probe = make(forwarder)
            probe.start(on: forwarder.pool.eventLoop)
            return probe
        }
    }

    /// Closes all connections. No request is in flight any more.
    func shutDown() {
        for probe in self.probes { probe.stop() }
        for forwarder in self.forwarders { forwarder.pool.shutDown() }
    }
}

@available(*, unavailable)
extension LoopUpstreams: Sendable {}
