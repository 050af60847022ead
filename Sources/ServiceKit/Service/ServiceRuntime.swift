import AccessControl
public import Admin
public import HTTP1
public import HTTPServing
public import Health
public import JSONLogging
public import Logging
public import NIOCore
public import NIOPosix
public import PrometheusMetrics
public import ServiceSettings
import Synchronization
public import SystemSupport
import Telemetry
import TraceExport
import TransportSecurity
import UnixSignals

/// The parts that every service has besides its own work: log, metrics, state, listeners, and the sequence from start
/// to exit.
///
/// ```swift
/// static func serve(_ settings: ResolvedSettings, _ openFiles: ProcessSetup.OpenFiles) async -> ProgramExit {
///     let runtime = ServiceRuntime(name: Self.name, settings: settings, common: common, handlers: […])
///     return await runtime.run(routes: { eventLoop in […] }, admin: { eventLoop in […] }, start: {
///         // open what the service works on; then:
///         runtime.gate.set(.ready)
///     }, stop: {
///         // called when no request is left
///     })
/// }
/// ```
public final class ServiceRuntime: Sendable {
    public let identity: ServiceIdentity
    public let settings: ResolvedSettings
    public let common: CommonSettings
    public let logger: Logger
    public let logLevel: SharedLogLevel
    public let registry: MetricsRegistry
    public let gate: ServiceGate
    public let events: EventJournal
    public let reloader: Reloader
    let endpoints = Mutex<[TLSEndpoint]>([])
    let logLevelControl: LogLevelControl
    let telemetry: RequestTelemetry
    /// Nil without `--access-keys-file`.
    let accessKeys: AccessKeys?
    public let group: MultiThreadedEventLoopGroup
    /// The prefix of this service's own metrics.
    let metricPrefix: String
    public let connectionLimit: ConnectionLimit
    private let longestTargetBytes: Int
    private let output: LogOutput
    private let scrape: MetricsScrape
    /// Nil without `--otlp-endpoint`.
    private let tracer: Tracer?

    /// Prepares the process: takes over standard output for the log, and starts the event loops.
    ///
    /// - Parameters:
    ///   - metricPrefix: the prefix of `<prefix>_build_info`, `<prefix>_ready` and the other metrics of both services.
    ///   - handlers: the handlers of the data routes with their possible answers.
    ///   - adminStatuses: further statuses of successes of this service's own actions below `/admin`.
    ///   - adminProblems: further problems that this service's own documents and actions below `/admin` can answer.
    ///   - eventKinds: the kinds of events that only this service reports.
    ///   - connectionLimit: from ``connectionLimit(name:settings:common:_:own:)``.
    ///   - longestTargetBytes: maximum length of a request target that the data routes accept.
    public init(
        name: String, metricPrefix: String, settings: ResolvedSettings, common: CommonSettings,
        handlers: [HandlerDeclaration], adminStatuses: [UInt] = [], adminProblems: [ProblemKind] = [],
        eventKinds: [EventKind], connectionLimit: ConnectionLimit, longestTargetBytes: Int
    ) {
        self.longestTargetBytes = longestTargetBytes
        let loops = common.eventLoopCount(settings)
        self.connectionLimit = connectionLimit
        let identity = ServiceIdentity(name: name)
        self.identity = identity
        self.metricPrefix = metricPrefix
        self.gate = ServiceGate(service: name)
        self.accessKeys = settings[common.accessKeysFile].map { _ in AccessKeys() }
        self.settings = settings
        self.common = common
        let output = LogOutput(descriptor: 1)
        let logLevel = SharedLogLevel(settings[common.logLevel])
        let registry = MetricsRegistry()
        self.output = output
        self.logLevel = logLevel
        self.registry = registry
        self.scrape = MetricsScrape(registry: registry)
        let lines = Dictionary(
            uniqueKeysWithValues: Logger.Level.allCases.map { level in
                (
                    level,
                    registry.counter(
                        "log_messages_total", help: "Log lines by level, without access lines.",
                        labels: [("level", level.rawValue)])
                )
            })
        let logger = Logger(label: name) { _ in
            JSONLogHandler(
                service: name, output: output, level: logLevel, onMessage: { lines[$0]?.increment() })
        }
        self.logger = logger
        self.events = EventJournal(
            registry: registry, metricPrefix: metricPrefix, kinds: eventKinds, logger: logger)
        self.reloader = Reloader(settings, events: self.events, registry: registry)
        let metrics = HTTPMetrics(
            registry: registry,
            declarations: handlers
                + HandlerDeclaration.common(adminStatuses: adminStatuses, adminProblems: adminProblems),
            nowNanoseconds: MonotonicClock.nanoseconds())
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let traceMetrics = TraceMetrics(registry: registry)
        self.tracer = settings[common.otlpEndpoint].map { endpoint in
            Tracer(
                endpoint: endpoint, sampleRatio: settings[common.traceSampleRatio], service: name,
                instanceID: identity.instanceID, metrics: traceMetrics, registry: registry, logger: logger)
        }
        self.telemetry = RequestTelemetry(
            metrics: metrics,
            slowRequests: SlowRequests(
                handlers: metrics.handlerNames, nowNanoseconds: MonotonicClock.nanoseconds()),
            accessLog: AccessLog(output: output, service: name, level: logLevel), tracer: self.tracer)
        self.logLevelControl = LogLevelControl(
            logLevel, configured: settings[common.logLevel], eventLoop: self.group.next(), events: self.events)
        self.reloader.add(Self.reloads(of: self.logLevelControl, common.logLevel))
        self.registerMetrics(prefix: metricPrefix)
        LibraryMetrics.bootstrap(registry)
        self.watchReadiness()
    }

    private static func reloads(of control: LogLevelControl, _ setting: Setting<Logger.Level>) -> ReloadPart {
        ReloadPart(settings: [setting.name]) { new in
            let level = new[setting]
            return { control.configure(level) }
        }
    }

    /// Reports the start, and each change of readiness.
    private func watchReadiness() {
        let (gate, events) = (self.gate, self.events)
        events.tell(
            .started, .notice, "\(self.identity.name) started",
            [
                "version": "\(BuildInfo.version)", "commit": "\(BuildInfo.commit)",
                "pid": .number(ProcessMetrics.sample().pid), "instance_id": "\(self.identity.instanceID)",
            ], isLogged: false)
        gate.onReadinessChange { reason in
            guard let reason else { return events.tell(.ready, .notice, "ready") }
            // The log and the shutdown event report the stop.
            if gate.state == .stopping || gate.state == .stopped { return }
            events.tell(.notReady, .warning, "not ready", ["reason": "\(reason)"])
        }
    }

    private func registerMetrics(prefix: String) {
        self.registry.gauge("http_connections_max", help: "Maximum number of client connections.")
            .set(Double(self.connectionLimit.connections))
        let gate = self.gate
        let output = self.output
        ProcessMetrics.register(in: self.registry)
        self.registry.gauge(
            "\(prefix)_build_info", help: "Always 1; the labels describe the running program.",
            labels: [
                ("version", BuildInfo.version), ("commit", BuildInfo.commit),
                ("swift_version", BuildInfo.swiftVersion), ("build_type", BuildInfo.buildType),
            ]
        ).set(1)
        self.registry.gauge("\(prefix)_ready", help: "1 while /readyz answers 200, else 0.") {
            gate.isReady ? 1 : 0
        }
        self.registry.gauge(
            "\(prefix)_read_only",
            help: "1 while writes are refused and reads continue: an operator set it, or the log failed; else 0."
        ) { gate.refusesWritesOnly ? 1 : 0 }
        self.registry.gauge(
            "\(prefix)_draining", help: "1 while an operator keeps the service out of readiness, else 0."
        ) { gate.drain == nil ? 0 : 1 }
        self.registry.counter(
            "log_messages_dropped_total", help: "Log lines dropped because standard output was too slow.",
            labels: []
        ) { Double(output.linesDropped) }
    }

    /// Listens, starts the service's own work and waits until it must stop.
    ///
    /// - Parameters:
    ///   - routes: the data routes of one event loop.
    ///   - admin: the routes that `--admin-listen` moves, besides `/metrics`.
    ///   - start: called once the service listens; sets the gate to `ready` when it can serve. It may block.
    ///   - stop: called when no request is left, or after their time limit. It may block.
    /// - Returns: the exit code of the process. All log lines have been written then.
    public func run(
        routes: @escaping @Sendable (any EventLoop) -> [Route],
        admin: @escaping @Sendable (any EventLoop) -> [Route],
        start: @escaping @Sendable () async throws(ServiceFailure) -> Void,
        stop: @escaping @Sendable () async throws -> Void
    ) async -> ProgramExit {
        defer { _ = self.output.flushAndStop() }
        for warning in self.settings.warnings { self.logger.warning("\(warning)") }
        let lifecycle = await Lifecycle(logger: self.logger)
        let tls: TLSEndpoint?
        do throws(ServiceFailure) { tls = try self.listenerEndpoint() } catch {
            self.logger.critical("cannot start", metadata: ["error": "\(error.message)"])
            return error.exit
        }
        let servers: [HTTPServer]
        do { servers = try await self.listen(tls, routes: routes, admin: admin) } catch {
            self.logger.critical("cannot listen", metadata: ["error": "\(error)"])
            return .unavailable
        }
        await self.beginReloads()
        defer { self.reloader.stop() }
        let gate = self.gate
        let interval = TimeAmount.milliseconds(ServiceGate.lookIntervalMilliseconds)
        let watch = self.group.next().scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in gate.look() }
        defer { watch.cancel() }
        let (results, continuation) = AsyncStream<ProgramExit>.makeStream()
        Task {
            do throws(ServiceFailure) { try await start() } catch {
                self.logger.critical("cannot start", metadata: ["error": "\(error.message)"])
                continuation.yield(error.exit)
            }
        }
        Task {
            let timeout = self.settings[self.common.shutdownTimeout]
            continuation.yield(
                await lifecycle.run(timeout: timeout) { deadline in
                    try await self.drain(servers, deadline: deadline, stop: stop)
                })
        }
        for await result in results { return result }
        return .internalError
    }

    /// Logs why the service does not start.
    public func refuse(_ failure: ServiceFailure) async -> ProgramExit {
        self.logger.critical("cannot start", metadata: ["error": "\(failure.message)"])
        self.output.flushAndStop()
        return failure.exit
    }

    /// On `SIGHUP` too.
    private func beginReloads() async {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        self.reloader.start()
        Task { for await _ in signals { self.reloader.request() } }
    }

    private func listen(
        _ tls: TLSEndpoint?,
        routes: @escaping @Sendable (any EventLoop) -> [Route], admin: @escaping @Sendable (any EventLoop) -> [Route]
    ) async throws(HTTPServerError) -> [HTTPServer] {
        let gate = self.gate
        let scrape = self.scrape
        // Errors were reported before.
        let inherited = try? InheritedListeners.ofProcess.get()
        let adminAddress = inherited?.admin?.address ?? self.settings[self.common.adminListen]
        let adminRoutes: @Sendable (any EventLoop) -> [Route] = { [scrape.route] + admin($0) }
        let name = self.identity.name
        let main = self.server(inherited?.main?.address ?? self.settings[self.common.listen], inherited?.main, tls) {
            loop in
            ServiceIndex.added(
                to: routes(loop) + HealthRoutes.routes(of: gate) + (adminAddress == nil ? adminRoutes(loop) : []),
                of: name)
        }
        var metadata: Logger.Metadata = ["address": "\(try await main.start())"]
        var servers = [main]
        if let adminAddress {
            let server = self.server(adminAddress, inherited?.admin, tls) { loop in
                ServiceIndex.added(to: HealthRoutes.routes(of: gate) + adminRoutes(loop), of: name)
            }
            metadata["admin_address"] = "\(try await server.start())"
            servers.append(server)
        }
        metadata["version"] = "\(BuildInfo.version)"
        metadata["pid"] = .number(ProcessMetrics.sample().pid)
        if self.connectionLimit.isLowered {
            self.logger.warning(
                "fewer connections than max-connections are accepted, because the limit of open files is too low",
                metadata: [
                    "connections": .stringConvertible(self.connectionLimit.connections),
                    "max_connections": .stringConvertible(self.settings[self.common.maxConnections]),
                    "max_fds": .stringConvertible(ProcessMetrics.sample().maxFDs),
                ])
        }
        self.events.tell(.listening, .notice, "listening", metadata)
        return servers
    }

    private func server(
        _ address: ListenAddress, _ inherited: InheritedListeners.Listener?, _ tls: TLSEndpoint?,
        routes: @escaping @Sendable (any EventLoop) -> [Route]
    ) -> HTTPServer {
        var limits = HTTPServer.Limits()
        limits.connections = self.connectionLimit.connections
        limits.rejectedConnections = self.connectionLimit.rejectedConnections
        limits.targetBytes = self.longestTargetBytes
        limits.trustedProxies = self.settings[self.common.trustedProxies] ?? []
        return HTTPServer(
            group: self.group, address: address, inherited: inherited?.descriptor, tls: tls, limits: limits,
            observer: self.telemetry,
            admission: { [gate] isWrite in gate.refusal(isWrite: isWrite) },
            access: self.accessKeys.map { HTTPServer.Access(keys: $0, realm: self.identity.name) }, routes: routes)
    }

    private func drain(
        _ servers: [HTTPServer], deadline: ContinuousClock.Instant, stop: @Sendable () async throws -> Void
    ) async throws {
        self.events.tell(.shutdownStarted, .notice, "shutdown started", isLogged: false)
        self.gate.set(.stopping)
        for server in servers { server.beginDrain() }
        var cut = HTTPServer.Cut()
        for server in servers {
            // A tenth of the time is reserved for closing the log.
            let left = (deadline - .now) * 9 / 10
            cut += await server.waitUntilDrained(timeout: max(left, .zero))
        }
        self.gate.set(.stopped)
        try await stop()
        // Not until the deadline: a collector that accepts nothing must not make the stop a failure.
        self.tracer?.stop(timeout: (deadline - .now) / 2)
        if let words = cut.words { throw ServiceFailure(.failure, words) }
    }
}

extension HTTPServer.Cut {
    /// For the log; nil if nothing was cut off.
    fileprivate var words: String? {
        let requests =
            self.requests == 0 ? nil : "\(self.requests) requests were answered 503 before they were complete"
        let responses =
            self.responses == 0 ? nil : "\(self.responses) connections were closed before their answers were sent"
        let parts = [requests, responses].compactMap { $0 }
        return parts.isEmpty ? nil : "the shutdown timeout passed: " + parts.joined(separator: ", ")
    }
}
