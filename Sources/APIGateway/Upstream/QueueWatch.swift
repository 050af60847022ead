/// Decides whether a request may join the queue for a connection: the reads or the writes of one event loop.
///
/// A burst may wait: the queue is empty again soon. A queue that was never empty for ``Limits/burstNanoseconds`` is a
/// load that kv-service cannot carry. Then a request is refused immediately if it would wait longer than
/// ``Limits/waitNanoseconds``, and than the requests in flight take. So those that are accepted are answered nearly as
/// fast as ever, whatever the load is. How long a request would wait is known from how fast the queue moves.
///
/// The overload ends once a time of ``Limits/burstNanoseconds`` has passed without a refusal.
///
/// Pure; times are monotonic nanoseconds of the caller's.
struct QueueWatch {
    struct Limits: Sendable {
        var burstNanoseconds: UInt64 = 100_000_000
        var waitNanoseconds: UInt64 = 5_000_000
    }

    private let limits: Limits
    private(set) var count = 0
    /// When the queue was empty for the last time.
    private var waitsSince: UInt64 = 0
    private(set) var overloadEnds: UInt64 = 0
    // How fast the queue moves.
    private var measuredSince: UInt64 = 0
    private var sent: UInt64 = 0
    /// Between two requests that left the queue before that; 0 if it is not known.
    private var nanosecondsPerRequest: UInt64 = 0

    init(limits: Limits = Limits()) { self.limits = limits }

    mutating func joined(now: UInt64) {
        if self.count == 0 {
            self.waitsSince = now
            if now >= self.overloadEnds { self.beginMeasuring(now: now, 0) }
        }
        self.count += 1
    }

    /// A request has left the queue for a connection.
    mutating func sent(now: UInt64) {
        self.count -= 1
        self.sent += 1
        let elapsed = now - min(now, self.measuredSince)
        guard elapsed >= self.limits.burstNanoseconds / 4 else { return }
        self.beginMeasuring(now: now, elapsed / self.sent)
    }

    /// A request has left the queue without a connection.
    mutating func gaveUp() { self.count -= 1 }

    private mutating func beginMeasuring(now: UInt64, _ nanosecondsPerRequest: UInt64) {
        self.nanosecondsPerRequest = nanosecondsPerRequest
        self.measuredSince = now
        self.sent = 0
    }

    /// Whether the next request is refused.
    ///
    /// - Parameters:
    ///   - inFlight: requests of this kind that may be in flight together. So many may always wait too: when a sync of
    ///     the disk ends, it answers all of them together, and the next sync needs as many.
    ///   - deadline: monotonic nanoseconds after which its answer is useless.
    mutating func refuses(inFlight: Int, deadline: UInt64, now: UInt64) -> Bool {
        if self.count == 0 { return false }
        // If the queue does not move any more, that counts too.
        let pace = max(self.nanosecondsPerRequest, (now - min(now, self.measuredSince)) / (self.sent + 1))
        let wait = pace * UInt64(self.count + 1)
        if wait > deadline - min(now, deadline) { return true }
        guard now < self.overloadEnds || now >= self.waitsSince + self.limits.burstNanoseconds else { return false }
        guard self.count >= inFlight, wait > self.limits.waitNanoseconds else { return false }
        self.overloadEnds = now + self.limits.burstNanoseconds
        return true
    }
}
