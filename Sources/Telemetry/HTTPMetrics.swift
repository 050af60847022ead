import HTTP1
package import HTTPServing
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

    /// Methods to which a route that does not take them answers 405.
    private static let commonMethods: [RequestMethod] = [.get, .head, .post, .put, .delete, .patch]

    package let registry: MetricsRegistry
    /// One for each handler; the last is `other`.
    package let handlers: [HTTPHandlerMetrics]
    let acceptedConnections: Counter
    package let rejectedConnections: Counter
    let acceptFailures: Counter
    private let cutResponses: [Counter]
    private let nextRotation = Atomic<UInt64>(0)
    private let views = Mutex<[LoopCounters]>([])

    /// By handler, in the order of ``handlers``.
    private let declarations: [HandlerDeclaration]
    private let isStrict: Bool

    /// - Parameters:
    ///   - registry: where the metrics are shown.
    ///   - declarations: every handler of the service and what it can answer, so that all series exist from the start.
    ///     `other` is added.
    ///   - isStrict: whether an answer that is not declared ends the process in a debug build.
    ///   - nowNanoseconds: monotonic time: the windows of ``summaries(nowNanoseconds:)`` begin here.
    package init(
        registry: MetricsRegistry, declarations: [HandlerDeclaration], isStrict: Bool = true, nowNanoseconds: UInt64
    ) {
        let declarations = declarations + [HandlerDeclaration.other]
        precondition(Set(declarations.map(\.handler)).count == declarations.count, "a handler is declared twice")
        self.registry = registry
        self.declarations = declarations
        self.isStrict = isStrict
        self.handlers = declarations.map { declaration in
            HTTPHandlerMetrics(handler: declaration.handler, registry: registry, nowNanoseconds: nowNanoseconds)
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
        for declaration in declarations { self.beginSeries(of: declaration) }
    }

    /// Requests from their first byte to their answer.
    package var requestsInFlight: Int {
        self.views.withLock { $0.reduce(0) { $0 + $1.requestsInFlight.load(ordering: .relaxed) } }
    }

    package var connections: Int {
        self.views.withLock { $0.reduce(0) { $0 + $1.connections.load(ordering: .relaxed) } }
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
    package func rotateWindows(nowNanoseconds: UInt64) {
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
        let counters = LoopCounters()
        self.views.withLock { $0.append(counters) }
        return HTTPLoopMetrics(metrics: self, counters: counters)
    }

    /// In the order of ``handlerIndex(_:)``.
    package var handlerNames: [String] { self.handlers.map(\.handler) }

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

    package func durations(handler: String, method: StaticString) -> Histogram {
        self.registry.histogram(
            "http_request_duration_seconds",
            help: "Time from a request's first byte to its answer being handed to the socket.",
            labels: [("handler", handler), ("method", method.description)],
            isNative: true
        )
    }

    func failureCounter(handler: String, reason: String) -> Counter {
        self.registry.counter(
            "http_request_failures_total",
            help: "Requests answered with a problem, by route and the problem's code.",
            labels: [("handler", handler), ("reason", reason)]
        )
    }

    /// Lets every series that the handler can have begin at 0, so that the first event shows as an increase.
    private func beginSeries(of declaration: HandlerDeclaration) {
        let handler = declaration.handler
        for method in declaration.methods {
            let name = method.name
            for status in declaration.statuses {
                _ = self.requestCounter(handler: handler, method: name, status: status)
            }
            _ = self.durations(handler: handler, method: name)
        }
        for problem in declaration.problems { _ = self.failureCounter(handler: handler, reason: problem.code) }
        if handler == HandlerDeclaration.otherHandler { return }
        let wrong = ProblemKind.ofOtherMethod
        _ = self.failureCounter(handler: handler, reason: wrong.code)
        for method in Self.commonMethods where !declaration.methods.contains(method) {
            _ = self.requestCounter(handler: handler, method: method.name, status: wrong.status)
        }
        _ = self.requestCounter(handler: handler, method: RequestMethod.options.name, status: 204)
    }

    /// Whether such an answer is declared, or was to a method that the handler does not take.
    func permits(handler: Int, method: RequestMethod, status: UInt, code: String?) -> Bool {
        let declaration = self.declarations[handler]
        guard self.isStrict, declaration.methods.contains(method) else { return true }
        return declaration.permits(status: status, code: code)
    }
}
