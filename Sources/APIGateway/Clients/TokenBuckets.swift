/// How many requests each client may send: so many per second, and so many at once after a pause.
///
/// A client's bucket is one time: that at which the bucket will be full again. A request moves it by the time between two
/// requests, and is refused if it would be too far ahead. Refused requests cost nothing.
///
/// The memory is bounded: of more than ``Limits/maxClients`` clients the one that was not seen for the longest time is
/// forgotten, and begins anew with a full bucket. So whoever has very many addresses can only take the memory of
/// others, not more of it.
///
/// Pure; times are monotonic nanoseconds of the caller's.
struct TokenBuckets<Client: Hashable> {
    struct Limits: Sendable, Equatable {
        var perSecond: Int
        var burst: Int
        var maxClients = 65_536
    }

    /// Clients are in a doubly linked list, by the time at which they were seen.
    private struct Bucket {
        var client: Client
        var fullAt: UInt64
        var newer: Int
        var older: Int
    }

    private static var none: Int { -1 }

    let limits: Limits
    private let interval: UInt64
    private var buckets: [Bucket] = []
    private var places: [Client: Int] = [:]
    private var newest = -1
    private var oldest = -1
    /// Clients that were forgotten before their buckets were full.
    private(set) var forgotten: UInt64 = 0

    /// - Precondition: the limits are at least 1, and there are at most a thousand million requests per second.
    init(limits: Limits) {
        precondition(limits.perSecond > 0 && limits.burst > 0 && limits.maxClients > 0)
        self.limits = limits
        self.interval = 1_000_000_000 / UInt64(limits.perSecond)
        precondition(self.interval > 0)
    }

    /// The clients that are known.
    var count: Int { self.buckets.count }

    /// A client sent a request.
    ///
    /// - Returns: nil if it may; otherwise nanoseconds until its next request may, if it sends none before.
    mutating func take(_ client: Client, now: UInt64) -> UInt64? {
        let place = self.place(of: client, now: now)
        let fullAt = max(self.buckets[place].fullAt, now)
        let most = self.interval * UInt64(self.limits.burst - 1)
        if fullAt - now > most { return fullAt - now - most }
        self.buckets[place].fullAt = fullAt + self.interval
        return nil
    }

    /// Where the client's bucket is, which becomes the newest one.
    private mutating func place(of client: Client, now: UInt64) -> Int {
        if let place = self.places[client] {
            if place != self.newest {
                self.unlink(place)
                self.link(place)
            }
            return place
        }
        var place = self.buckets.count
        if place < self.limits.maxClients {
            self.buckets.append(Bucket(client: client, fullAt: 0, newer: Self.none, older: Self.none))
        } else {
            place = self.oldest
            if self.buckets[place].fullAt > now { self.forgotten += 1 }
            self.places[self.buckets[place].client] = nil
            self.unlink(place)
            self.buckets[place].client = client
            self.buckets[place].fullAt = 0
        }
        self.places[client] = place
        self.link(place)
        return place
    }

    private mutating func link(_ place: Int) {
        self.buckets[place].older = self.newest
        self.buckets[place].newer = Self.none
        if self.newest != Self.none { self.buckets[self.newest].newer = place }
        self.newest = place
        if self.oldest == Self.none { self.oldest = place }
    }

    private mutating func unlink(_ place: Int) {
        let (newer, older) = (self.buckets[place].newer, self.buckets[place].older)
        if newer != Self.none { self.buckets[newer].older = older } else { self.newest = older }
        if older != Self.none { self.buckets[older].newer = newer } else { self.oldest = newer }
    }
}
