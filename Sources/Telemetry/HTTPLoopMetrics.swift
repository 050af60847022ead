import HTTP1
import HTTPServing
import PrometheusMetrics

/// One event loop's view of ``HTTPMetrics``: the handles of every series by index, so that recording a request looks up
/// nothing by name. Handles of series that have not occurred on this loop are fetched at their first use.
///
/// Confined to its loop.
final class HTTPLoopMetrics {
    private struct MethodHandles {
        var durations: Histogram?
        /// By ``statusSlots``.
        var requests: [Counter?]
    }

    /// Statuses that are counted without a lookup by name.
    private static let knownStatuses: [UInt] = [
        200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 414, 415, 417, 422, 428, 429,
        431,
        500, 501, 502, 503, 504, 505, 507,
    ]

    let metrics: HTTPMetrics
    let counters: LoopCounters
    /// Slot of a status plus one; 0 for a status without a slot.
    private let statusSlots: [UInt8]
    /// By handler, then by method.
    private var handles: [MethodHandles]
    private var failures: [[String: Counter]]

    init(metrics: HTTPMetrics, counters: LoopCounters) {
        self.metrics = metrics
        self.counters = counters
        var slots = [UInt8](repeating: 0, count: 600)
        for (index, status) in Self.knownStatuses.enumerated() { slots[Int(status)] = UInt8(index + 1) }
        self.statusSlots = slots
        let none = MethodHandles(durations: nil, requests: Array(repeating: nil, count: Self.knownStatuses.count))
        let count = metrics.handlers.count
        self.handles = Array(repeating: none, count: count * RequestMethod.count)
        self.failures = Array(repeating: [:], count: count)
    }

    /// Index of the handler for requests without a route.
    var otherHandler: Int { self.metrics.handlers.count - 1 }

    func handlerName(_ handler: Int) -> String { self.metrics.handlers[handler].handler }

    /// Counts one answered request.
    func record(
        handler: Int,
        method: RequestMethod,
        status: UInt,
        durationNanoseconds: UInt64,
        trace: TraceMark,
        requestBytes: Int,
        responseBytes: Int,
        failure: String?
    ) {
        assert(
            self.metrics.permits(handler: handler, method: method, status: status, code: failure),
            "\(self.handlerName(handler)) has answered \(status) \(failure ?? ""), which it does not declare")
        let common = self.metrics.handlers[handler]
        common.requestBytes.observe(Double(requestBytes))
        common.responseBytes.observe(Double(responseBytes))
        if status >= 500 { common.errors.increment() }
        let index = handler * RequestMethod.count + method.rawValue
        self.requestCounter(index, handler, method, status).increment()
        if self.handles[index].durations == nil {
            self.handles[index].durations = common.durations(method: method.name, registry: self.metrics.registry)
        }
        self.handles[index].durations?.observe(nanoseconds: durationNanoseconds, in: trace)
        if let failure { self.failureCounter(handler, failure).increment() }
    }

    private func requestCounter(_ index: Int, _ handler: Int, _ method: RequestMethod, _ status: UInt) -> Counter {
        let slot = status < 600 ? Int(self.statusSlots[Int(status)]) - 1 : -1
        if slot >= 0, let counter = self.handles[index].requests[slot] { return counter }
        let counter = self.metrics.requestCounter(
            handler: self.handlerName(handler),
            method: method.name,
            status: status
        )
        if slot >= 0 { self.handles[index].requests[slot] = counter }
        return counter
    }

    private func failureCounter(_ handler: Int, _ reason: String) -> Counter {
        if let counter = self.failures[handler][reason] { return counter }
        let counter = self.metrics.failureCounter(handler: self.handlerName(handler), reason: reason)
        self.failures[handler][reason] = counter
        return counter
    }
}

@available(*, unavailable)
extension HTTPLoopMetrics: Sendable {}
