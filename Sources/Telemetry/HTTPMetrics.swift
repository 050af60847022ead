import HTTP1
public import HTTPServing
public import PrometheusMetrics
import Synchronization
import TransportSecurity

/// The `http_*` metrics of a service. One instance for all of its listeners; any thread may read.
///
/// Event loops record through their own views, created by ``makeView()``, which know every handle by index.
public final class HTTPMetrics: Sendable {
    /// The figures of one handler for `/admin`.
    public struct RouteSummary: Sendable {
        public let handler: String
        public let requests: UInt64
        /// Answers with a status of 500 and above.
        public let errors: UInt64
        /// The last minute, in seconds.
        public let durations: QuantileWindow.Quantiles
    }

    /// Clients with a series of their own.
    private static let maximumClients = 100

    /// Methods that a route answers with 405 if it does not accept them.
    private static let commonMethods: [RequestMethod] = [.get, .head, .post, .put, .delete, .patch]

    public let registry: MetricsRegistry
    /// One for each handler; the last is `other`.
    public let handlers: [HTTPHandlerMetrics]
    let acceptedConnections: Counter
    public let rejectedConnections: Counter
    let acceptFailures: Counter
    private let cutResponses: [Counter]
    private let completedHandshakes: Counter
    private let failedHandshakes: [Counter]
    private let accessDenials: [Counter]
    /// Names of clients that have a series.
    private let clients = Mutex<Set<String>>([])
    private let nextRotation = Atomic<UInt64>(0)
    private let views = Mutex<[LoopCounters]>([])

    /// By handler, in the order of ``handlers``.
    private let declarations: [HandlerDeclaration]
    private let isStrict: Bool

    /// - Parameters:
    ///   - registry: where the metrics are registered.
    ///   - declarations: every handler of the service with its possible answers, so that all series exist from the
    ///     start. `other` is added.
    ///   - isStrict: whether an answer that is not declared ends the process in a debug build.
    ///   - nowNanoseconds: monotonic time: the windows of ``summaries(nowNanoseconds:)`` begin here.
    public init(
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
            help: "Connections opened by clients."
        )
        self.rejectedConnections = registry.counter(
            "http_connections_rejected_total",
            help: "Connections answered with 503 or closed immediately, by reason.",
            labels: [("reason", "too_many_connections")]
        )
        self.acceptFailures = registry.counter(
            "http_accept_failures_total",
            help: "Failed attempts to accept a connection, mostly for lack of file descriptors; the service retries."
        )
        self.cutResponses = ResponseCut.allCases.map { reason in
            registry.counter(
                "http_responses_cut_total",
                help: "Connections closed before the client had received its answers, by reason.",
                labels: [("reason", reason.rawValue)]
            )
        }
        let handshakes = ("http_tls_handshakes_total", "TLS handshakes of clients by result.")
        self.completedHandshakes = registry.counter(
            handshakes.0, help: handshakes.1, labels: [("result", "success")])
        self.failedHandshakes = HandshakeFailure.Kind.allCases.map { kind in
            registry.counter(handshakes.0, help: handshakes.1, labels: [("result", kind.rawValue)])
        }
        self.accessDenials = AccessDenial.allCases.map { denial in
            registry.counter(
                "http_access_denied_total",
                help: "Requests answered with 401 or 403 because of their access key, by reason.",
                labels: [("reason", denial.rawValue)]
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

    /// Requests between their first byte and their answer.
    public var requestsInFlight: Int {
        self.views.withLock { $0.reduce(0) { $0 + $1.requestsInFlight.load(ordering: .relaxed) } }
    }

    public var connections: Int {
        self.views.withLock { $0.reduce(0) { $0 + $1.connections.load(ordering: .relaxed) } }
    }

    func handshakeEnded(failure: HandshakeFailure.Kind?) {
        guard let failure else { return self.completedHandshakes.increment() }
        for (kind, counter) in zip(HandshakeFailure.Kind.allCases, self.failedHandshakes) where kind == failure {
            counter.increment()
        }
    }

    func responseCut(_ reason: ResponseCut) {
        for (other, counter) in zip(ResponseCut.allCases, self.cutResponses) where other == reason {
            counter.increment()
        }
    }

    func denied(_ denial: AccessDenial) {
        for (other, counter) in zip(AccessDenial.allCases, self.accessDenials) where other == denial {
            counter.increment()
        }
    }

    /// Creates the series of these clients with value 0, as far as there is room.
    public func beginSeries(ofClients names: [String]) { for name in names { _ = self.clientCounter(name) } }

    /// The counter of the requests with the access key of this name; all names beyond the first hundred share one.
    func clientCounter(_ name: String) -> Counter {
        let isOwn = self.clients.withLock { clients in
            if clients.count < Self.maximumClients { clients.insert(name) }
            return clients.contains(name)
        }
        return self.registry.counter(
            "http_client_requests_total",
            help: "Requests with an access key of the table, by its name, including those that were refused.",
            labels: [("client", isOwn ? name : "other")]
        )
    }

    /// The handlers' totals and the quantiles of the last minute, in the order of registration; the last is `other`.
    public func summaries(nowNanoseconds: UInt64) -> [RouteSummary] {
        self.handlers.map { $0.summary(nowNanoseconds: nowNanoseconds) }
    }

    /// Advances the windows of ``summaries(nowNanoseconds:)``. Every event loop calls it a few times per second; one
    /// call in ten seconds does the work.
    public func rotateWindows(nowNanoseconds: UInt64) {
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

    /// The view of one event loop, for use on that loop only, where it is made.
    func makeView() -> HTTPLoopMetrics {
        MetricsRegistry.claimRow()
        let counters = LoopCounters()
        self.views.withLock { $0.append(counters) }
        return HTTPLoopMetrics(metrics: self, counters: counters)
    }

    /// In the order of ``handlerIndex(_:)``.
    public var handlerNames: [String] { self.handlers.map(\.handler) }

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

    func failureCounter(handler: String, reason: String) -> Counter {
        self.registry.counter(
            "http_request_failures_total",
            help: "Requests answered with a problem, by route and the problem's code.",
            labels: [("handler", handler), ("reason", reason)]
        )
    }

    /// Creates every possible series of the handler with value 0, so that the first event is visible as an increase.
    private func beginSeries(of declaration: HandlerDeclaration) {
        let handler = declaration.handler
        for method in declaration.methods {
            let name = method.name
            for status in declaration.statuses {
                _ = self.requestCounter(handler: handler, method: name, status: status)
            }
            _ = self.handlers[self.handlerIndex(handler)].durations(method: name, registry: self.registry)
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

    /// Whether such an answer is declared, or is the answer to a method that the handler does not accept.
    func permits(handler: Int, method: RequestMethod, status: UInt, code: String?) -> Bool {
        let declaration = self.declarations[handler]
        guard self.isStrict, declaration.methods.contains(method) else { return true }
        return declaration.permits(status: status, code: code)
    }
}
