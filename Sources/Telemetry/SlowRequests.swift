import Synchronization

/// The slowest requests of each handler in the last five to ten minutes.
///
/// Each event loop keeps its own, and compares one number per request; the slowest of all loops are among the slowest of
/// each. Time is cut into slots of five minutes: the one that runs and the one before it are shown, so that a burst of
/// slow requests is not forgotten the moment that it is over, nor remembered for hours.
package final class SlowRequests: Sendable {
    /// Kept per handler and slot.
    package static let perHandler = 16
    package static let slotNanoseconds: UInt64 = 300_000_000_000

    package let handlers: [String]
    private let beganAtNanoseconds: UInt64
    private let loops = Mutex<[SlowRequestsOfLoop]>([])

    /// - Parameters:
    ///   - handlers: by position.
    ///   - nowNanoseconds: monotonic.
    package init(handlers: [String], nowNanoseconds: UInt64) {
        self.handlers = handlers
        self.beganAtNanoseconds = nowNanoseconds
    }

    /// The view of one event loop, to be used on that loop only.
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

    /// The slowest first, of each handler at most ``perHandler``.
    ///
    /// - Parameter handler: of this one only.
    package func slowest(of handler: Int? = nil, limit: Int, nowNanoseconds: UInt64) -> [SlowRequest] {
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

    /// How far back the requests of ``slowest(of:limit:nowNanoseconds:)`` reach, in seconds.
    package func windowSeconds(nowNanoseconds: UInt64) -> Double {
        let slot = self.slot(of: nowNanoseconds)
        let first = (slot - min(1, slot)) * Self.slotNanoseconds + self.beganAtNanoseconds
        return Double(nowNanoseconds - min(first, nowNanoseconds)) / 1e9
    }
}

/// What one event loop has kept, for everyone to read. The loop takes the lock for a request that is slow enough, never
/// for another one, and meets there at most a reader.
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
            // The loop advances with its next sweep; what is too old now is left out meanwhile.
            switch slot {
            case slots.number: slots.current + slots.previous
            case slots.number + 1: slots.current
            case slots.number &- 1: slots.previous
            default: []
            }
        }
    }

    func advance(to slot: UInt64) { self.slots.withLock { $0.advance(to: slot) } }

    /// Keeps a request, and lets go of the fastest of its handler if there are too many.
    ///
    /// - Returns: what the next one of this handler must exceed.
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
    /// By handler: what a request must exceed to be kept.
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

    /// Begins a new slot when one is due. To be called several times a second.
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
