package import NIOHTTP1
package import PrometheusMetrics
import Synchronization

/// The `http_*` metrics of a service. One for all of its listeners; any thread may read.
///
/// Event loops record through views of their own, made by ``makeView()``, which know every handle by position.
package final class HTTPMetrics: Sendable {
    /// What `/admin` says about one handler.
    package struct RouteSummary: Sendable {
        package let handler: String
        package let requests: UInt64
        /// Answers with a status of 500 and above.
        package let errors: UInt64
        /// The last minute, in seconds.
        package let durations: QuantileWindow.Quantiles
    }

    /// The handler of requests that no route takes.
    static let otherHandler = "other"
    private static let initialStatuses: [UInt] = [200, 400, 404, 500, 503]

    let registry: MetricsRegistry
    /// One for each handler; the last is `other`.
    let handlers: [HTTPHandlerMetrics]
    let acceptedConnections: Counter
    let rejectedConnections: Counter
    let acceptFailures: Counter
    private let cutResponses: [Counter]
    private let nextRotation = Atomic<UInt64>(0)
    private let views = Mutex<[HTTPLoopCounters]>([])

    /// - Parameters:
    ///   - registry: where the metrics are shown.
    ///   - routes: every handler of the service and the methods it takes, so that their series exist from the start.
    ///     Handlers may occur more than once.
    ///   - nowNanoseconds: monotonic time: the windows of ``summaries(nowNanoseconds:)`` begin here.
    package init(
        registry: MetricsRegistry,
        routes: [(handler: String, methods: [HTTPMethod])],
        nowNanoseconds: UInt64
    ) {
        self.registry = registry
        var names: [String] = []
        for route in routes where !names.contains(route.handler) && route.handler != Self.otherHandler {
            names.append(route.handler)
        }
        self.handlers = (names + [Self.otherHandler]).map { name in
            HTTPHandlerMetrics(handler: name, registry: registry, nowNanoseconds: nowNanoseconds)
        }
        self.acceptedConnections = registry.counter(
            "http_connections_accepted_total",
            help: "Connections that clients opened."
        )
        self.rejectedConnections = registry.counter(
            "http_connections_rejected_total",
            help: "Connections that were answered 503 or closed at once, by reason.",
            labels: [("reason", "too_many_connections")]
        )
        self.acceptFailures = registry.counter(
            "http_accept_failures_total",
            help: "Times that no connection could be accepted, mostly for want of descriptors; it is tried again."
        )
        self.cutResponses = ResponseCut.allCases.map { reason in
            registry.counter(
                "http_responses_cut_total",
                help: "Connections closed before the client had taken its answers, by reason.",
                labels: [("reason", reason.rawValue)]
            )
        }
        registry.gauge("http_requests_in_flight", help: "Requests being read or answered.") { [weak self] in
            Double(self?.requestsInFlight ?? 0)
        }
        registry.gauge("http_connections", help: "Open connections of clients.") { [weak self] in
            Double(self?.connections ?? 0)
        }
        for route in routes {
            for method in route.methods {
                self.beginSeries(handler: route.handler, method: method)
            }
        }
        self.beginSeries(handler: Self.otherHandler, method: .GET)
        for reason in ["bad_request", "request_timeout", "route_not_found"] {
            _ = self.failureCounter(handler: Self.otherHandler, reason: reason)
        }
    }

    /// Requests from their first byte to their answer.
    package var requestsInFlight: Int {
        self.views.withLock { $0.reduce(0) { $0 + $1.requestsInFlight.load(ordering: .relaxed) } }
    }

    package var connections: Int {
        self.views.withLock { $0.reduce(0) { $0 + $1.connections.load(ordering: .relaxed) } }
    }

    /// Why a connection was closed while bytes of its answers waited for room in the socket.
    enum ResponseCut: String, CaseIterable {
        /// The client took nothing for too long.
        case writeTimeout = "write_timeout"
        /// The time for a graceful stop was over.
        case shutdown
    }

    func responseCut(_ reason: ResponseCut) {
        for (other, counter) in zip(ResponseCut.allCases, self.cutResponses) where other == reason {
            counter.increment()
        }
    }

    /// The handlers' totals and the quantiles of the last minute, in the order of registration; the last is `other`.
    package func summaries(nowNanoseconds: UInt64) -> [RouteSummary] {
        self.handlers.map { $0.summary(nowNanoseconds: nowNanoseconds) }
    }

    /// Keeps the windows of ``summaries(nowNanoseconds:)`` moving. Called by every event loop a few times a second; one
    /// of the calls in ten seconds does something.
    func rotateWindows(nowNanoseconds: UInt64) {
        let due = self.nextRotation.load(ordering: .relaxed)
        guard nowNanoseconds >= due,
            self.nextRotation.compareExchange(
                expected: due,
                desired: nowNanoseconds + 10_000_000_000,
                ordering: .relaxed
            ).exchanged
        else { return }
        for handler in self.handlers { handler.rotateWindow(nowNanoseconds: nowNanoseconds) }
    }

    /// The view of one event loop, to be used on that loop only.
    func makeView() -> HTTPLoopMetrics {
        let counters = HTTPLoopCounters()
        self.views.withLock { $0.append(counters) }
        return HTTPLoopMetrics(metrics: self, counters: counters)
    }

    /// In the order of ``handlerIndex(_:)``.
    var handlerNames: [String] { self.handlers.map(\.handler) }

    func handlerIndex(_ handler: String) -> Int {
        self.handlers.firstIndex { $0.handler == handler } ?? self.handlers.count - 1
    }

    func requestCounter(handler: String, method: StaticString, status: UInt) -> Counter {
        self.registry.counter(
            "http_requests_total",
            help: "Requests answered, by route, method and status.",
            labels: [("handler", handler), ("method", method.description), ("status", String(status))]
        )
    }

    func durations(handler: String, method: StaticString) -> Histogram {
        self.registry.histogram(
            "http_request_duration_seconds",
            help: "Time from a request's first byte to its answer being handed to the socket.",
            labels: [("handler", handler), ("method", method.description)],
            isNative: true
        )
    }

    /// Lets the series of failures of these handlers begin at 0, so that the first one shows as an increase.
    ///
    /// - Parameter reasons: codes of problems.
    package func beginFailures(of handlers: [String], reasons: [String]) {
        for handler in handlers {
            for reason in reasons { _ = self.failureCounter(handler: handler, reason: reason) }
        }
    }

    func failureCounter(handler: String, reason: String) -> Counter {
        self.registry.counter(
            "http_request_failures_total",
            help: "Requests answered with a problem, by route and the problem's code.",
            labels: [("handler", handler), ("reason", reason)]
        )
    }

    private func beginSeries(handler: String, method: HTTPMethod) {
        let name = HTTPMethodLabel(method).name
        for status in Self.initialStatuses {
            _ = self.requestCounter(handler: handler, method: name, status: status)
        }
        _ = self.durations(handler: handler, method: name)
    }
}

/// What one event loop counts for everyone to read.
final class HTTPLoopCounters: Sendable {
    let requestsInFlight = Atomic<Int>(0)
    let connections = Atomic<Int>(0)
}
