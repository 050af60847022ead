/// The requests of one event loop that wait for a connection, in the order of the times at which they give up: a doubly
/// linked list through the requests themselves, so that adding and removing cost no allocation.
///
/// Confined to its event loop.
struct DeadlineList {
    private(set) var first: UpstreamExchange?
    private var last: UpstreamExchange?

    init() {}

    /// Adds `exchange` by its `expiresAtNanoseconds`. Deadlines mostly arrive in order, so the search starts at the
    /// end.
    mutating func insert(_ exchange: UpstreamExchange) {
        precondition(exchange.previous == nil && exchange.next == nil && self.first !== exchange)
        var before = self.last
        while let candidate = before, candidate.expiresAtNanoseconds > exchange.expiresAtNanoseconds {
            before = candidate.previous
        }
        let after = before.map(\.next) ?? self.first
        exchange.previous = before
        exchange.next = after
        if let before { before.next = exchange } else { self.first = exchange }
        if let after { after.previous = exchange } else { self.last = exchange }
    }

    /// Removes `exchange`, which must be in this list.
    mutating func remove(_ exchange: UpstreamExchange) {
        let (before, after) = (exchange.previous, exchange.next)
        if let before { before.next = after } else { self.first = after }
        if let after { after.previous = before } else { self.last = before }
        exchange.previous = nil
        exchange.next = nil
    }

    /// Removes and returns the first exchange if its deadline has passed.
    mutating func popExpired(now: UInt64) -> UpstreamExchange? {
        guard let first = self.first, first.expiresAtNanoseconds <= now else { return nil }
        self.remove(first)
        return first
    }
}
