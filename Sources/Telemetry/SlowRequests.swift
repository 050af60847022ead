import Synchronization

/// The slowest requests of each handler in the last five to ten minutes.
///
/// Each event loop keeps its own, and compares one number per request; the slowest of all loops are among the slowest
/// of each. Time is divided into slots of five minutes. The current and the previous slot are shown, so that a burst of
/// slow requests is neither forgotten as soon as it is over nor shown for hours.
public final class SlowRequests: Sendable {
    /// Maximum number per handler and slot.
    public static let perHandler = 16
    public static let slotNanoseconds: UInt64 = 300_000_000_000

    public let handlers: [String]
    private let beganAtNanoseconds: UInt64
    private let loops = Mutex<[SlowRequestsOfLoop]>([])

    /// - Parameters:
    ///   - handlers: names by index.
    ///   - nowNanoseconds: monotonic.
    public init(handlers: [String], nowNanoseconds: UInt64) {
        self.handlers = handlers
        self.beganAtNanoseconds = nowNanoseconds
    }

    /// The view of one event loop, for use on that loop only.
    func makeView() -> SlowRequestsView {
        let kept = SlowRequestsOfLoop()
        self.loops.withLock { $0.append(kept) }
        return SlowRequestsView(
            kept, handlers: self.handlers.count, slot: self.slot(of: self.beganAtNanoseconds),
            beganAtNanoseconds: self.beganAtNanoseconds)
    }

    private func slot(of nanoseconds: UInt64) -> UInt64 {
        (nanoseconds - min(nanoseconds, self.beganAtNanoseconds)) / Self.slotNanoseconds
    }

    /// The slowest first; at most ``perHandler`` of each handler.
    ///
    /// - Parameter handler: only requests of this handler; nil for all.
    public func slowest(of handler: Int? = nil, limit: Int, nowNanoseconds: UInt64) -> [SlowRequest] {
        let slot = self.slot(of: nowNanoseconds)
        var requests: [SlowRequest] = []
        for loop in self.loops.withLock({ $0 }) { requests += loop.requests(of: slot) }
        requests.sort { $0.durationNanoseconds > $1.durationNanoseconds }
        var taken = Array(repeating: 0, count: self.handlers.count)
        requests = requests.filter { request in
            taken[request.handler] += 1
            return taken[request.handler] <= Self.perHandler && handler ?? request.handler == request.handler
        }
        return Array(requests.prefix(limit))
    }

    /// The time that ``slowest(of:limit:nowNanoseconds:)`` covers, in seconds.
    public func windowSeconds(nowNanoseconds: UInt64) -> Double {
        let slot = self.slot(of: nowNanoseconds)
        let first = (slot - min(1, slot)) * Self.slotNanoseconds + self.beganAtNanoseconds
        return Double(nowNanoseconds - min(first, nowNanoseconds)) / 1e9
    }
}

/// The requests kept by one event loop, readable by any thread. The loop takes the lock only for a request that is slow
/// enough, and competes for it with readers only.
final class SlowRequestsOfLoop: Sendable {
    private struct Slots {
        var number: UInt64 = 0
        var current: [SlowRequest] = []
        var previous: [SlowRequest] = []

        mutating func advance(to slot: UInt64) {
            if slot == self.number { return }
            self.previous = slot == self.number + 1 ? self.current : []
            self.current = []
            self.number = slot
        }
    }

    private let slots = Mutex(Slots())

    func requests(of slot: UInt64) -> [SlowRequest] {
        self.slots.withLock { slots in
            // The loop advances with its next sweep; until then outdated slots are skipped.
            switch slot {
            case slots.number: slots.current + slots.previous
            case slots.number + 1: slots.current
            case slots.number &- 1: slots.previous
            default: []
            }
        }
    }

    func advance(to slot: UInt64) { self.slots.withLock { $0.advance(to: slot) } }

    /// Keeps a request, and drops the fastest of its handler if there are too many.
    ///
    /// - Returns: the duration that the next request of this handler must exceed.
    func keep(_ request: SlowRequest, in slot: UInt64) -> UInt64 {
        self.slots.withLock { slots in
            slots.advance(to: slot)
            slots.current.append(request)
            let same = slots.current.indices.filter { slots.current[$0].handler == request.handler }
            if same.count < SlowRequests.perHandler { return 0 }
            func duration(_ index: Int) -> UInt64 { slots.current[index].durationNanoseconds }
            if same.count > SlowRequests.perHandler, let fastest = same.min(by: { duration($0) < duration($1) }) {
                slots.current.remove(at: fastest)
            }
            return slots.current.filter { $0.handler == request.handler }.map(\.durationNanoseconds).min() ?? 0
        }
    }
}

/// One event loop's access to ``SlowRequests``. Confined to its loop.
final class SlowRequestsView {
    private let kept: SlowRequestsOfLoop
    private let beganAtNanoseconds: UInt64
    private var slot: UInt64
    /// By handler: the duration that a request must exceed to be kept.
    private var thresholds: [UInt64]

    init(_ kept: SlowRequestsOfLoop, handlers: Int, slot: UInt64, beganAtNanoseconds: UInt64) {
        self.kept = kept
        self.slot = slot
        self.beganAtNanoseconds = beganAtNanoseconds
        self.thresholds = Array(repeating: 0, count: handlers)
    }

    func isSlow(handler: Int, durationNanoseconds: UInt64) -> Bool {
        durationNanoseconds > self.thresholds[handler]
    }

    func note(_ request: SlowRequest) {
        self.thresholds[request.handler] = self.kept.keep(request, in: self.slot)
    }

    /// Begins a new slot when it is time. Call it several times per second.
    func rotate(nowNanoseconds: UInt64) {
        let elapsed = nowNanoseconds - min(nowNanoseconds, self.beganAtNanoseconds)
        let slot = elapsed / SlowRequests.slotNanoseconds
        guard slot != self.slot else { return }
        self.slot = slot
        self.kept.advance(to: slot)
        for handler in self.thresholds.indices { self.thresholds[handler] = 0 }
    }
}

@available(*, unavailable)
extension SlowRequestsView: Sendable {}
