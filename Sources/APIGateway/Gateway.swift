import AccessControl
import Admin
import HTTP1
import HTTPServing
import Health
import JSONLogging
import KeyValueHTTP
import Logging
import NIOCore
import NIOHTTP1
import ServiceKit
import ServiceSettings
import Synchronization
import TransportSecurity

/// The parts of a running gateway: a pool and routes for each event loop, and the shared state of kv-service. Any
/// thread.
final class Gateway: Sendable {
    private static let upstreamProblems =
        UpstreamFailure.problems + UpstreamAnswer.problems + [Problem.rateLimitedKind]
    /// The handlers of the data routes with all their answers: those of kv-service, which are forwarded, and failures
    /// on the way to it.
    static let handlers = [
        HandlerDeclaration(
            "api_set", [.post, .put], problems: ProblemKind.ofSet + upstreamProblems, passesProblemsOn: true),
        HandlerDeclaration(
            "api_get", [.get, .head], statuses: [200, 304], problems: ProblemKind.ofGet + upstreamProblems,
            passesProblemsOn: true),
        HandlerDeclaration(
            "api_delete", [.delete], problems: ProblemKind.ofDelete + upstreamProblems,
            passesProblemsOn: true),
        HandlerDeclaration(
            "api_keys", [.get, .head], problems: ProblemKind.ofKeys + upstreamProblems, passesProblemsOn: true),
        HandlerDeclaration(
            "api_mget", [.post], problems: ProblemKind.ofSeveral + upstreamProblems, passesProblemsOn: true),
        HandlerDeclaration(
            "api_txn", [.post], problems: ProblemKind.ofTransaction + upstreamProblems, passesProblemsOn: true),
        HandlerDeclaration(
            "api_incr", [.post], problems: ProblemKind.ofIncrement + upstreamProblems, passesProblemsOn: true),
        HandlerDeclaration(
            "api_watch", [.get, .head],
            problems: ProblemKind.ofWatch + WatchRelay.problems + UpstreamAnswer.problems
                + [Problem.rateLimitedKind],
            passesProblemsOn: true),
    ]

    private let runtime: ServiceRuntime
    private let monitor: UpstreamMonitor
    private let keyValueLimits: KeyValueLimits
    private let upstreamLimits: UpstreamLimits
    private let connector: UpstreamConnector
    private let timeoutNanoseconds: UInt64
    private let watches: WatchForwarding
    private let accessKey: UpstreamAccessKey?
    private let rateLimit: ClientRateLimit
    let admin: GatewayAdmin
    private let pools = Mutex<[NIOLoopBound<UpstreamPool>]>([])

    /// - Parameters:
    ///   - tls: of connections to kv-service; nil for plain HTTP.
    ///   - accessKey: by which kv-service knows the gateway; nil if it needs none.
    init(runtime: ServiceRuntime, tls: TLSEndpoint?, accessKey: UpstreamAccessKey?) {
        self.accessKey = accessKey
        let settings = runtime.settings
        self.runtime = runtime
        self.keyValueLimits = KeyValueLimits(
            maxKeyBytes: settings[GatewaySettings.maxKeyBytes],
            maxValueBytes: settings[GatewaySettings.maxValueBytes]
        )
        var upstreamLimits = UpstreamLimits()
        upstreamLimits.maxBodyBytes = max(upstreamLimits.maxBodyBytes, self.keyValueLimits.maxValueBytes)
        upstreamLimits.maxPageBytes = max(self.keyValueLimits.maxPageBytes, self.keyValueLimits.maxSeveralBytes)
        upstreamLimits.pool.queue.waitNanoseconds = settings[GatewaySettings.maxQueueTime].wholeNanoseconds
        let eventLoops = GatewaySettings.common.eventLoopCount(settings)
        let base = GatewayProgram.baseFiles(eventLoops: eventLoops)
        let files = runtime.connectionLimit.ownFiles - base
        // If files are few, half of them are for watchers.
        let watchers = min(
            settings[GatewaySettings.maxWatchers],
            max(files - eventLoops * upstreamLimits.pool.maxConnections, files / 2))
        upstreamLimits.fit(files: files - watchers, eventLoops: eventLoops)
        self.upstreamLimits = upstreamLimits
        self.timeoutNanoseconds = settings[GatewaySettings.upstreamTimeout].wholeNanoseconds
        let monitor = UpstreamMonitor(
            name: "kv-service",
            address: settings[GatewaySettings.upstream],
            registry: runtime.registry,
            events: runtime.events
        )
        self.monitor = monitor
        self.connector = UpstreamConnector(
            address: settings[GatewaySettings.upstream], tls: tls,
            timeoutNanoseconds: upstreamLimits.connectNanoseconds)
        self.watches = WatchForwarding(
            monitor: monitor, connector: self.connector, limits: upstreamLimits, accessKey: accessKey, limit: watchers,
            timeoutNanoseconds: self.timeoutNanoseconds)
        self.watches.register(in: runtime.registry)
        let rateLimit = ClientRateLimit(ClientRateLimit.limits(settings), registry: runtime.registry)
        runtime.reloader.add(rateLimit.reloads)
        self.rateLimit = rateLimit
        self.admin = GatewayAdmin(
            monitor: monitor, rateLimit: rateLimit, timeoutNanoseconds: self.timeoutNanoseconds,
            queueNanoseconds: upstreamLimits.pool.queue.waitNanoseconds)
        for check in monitor.checks { runtime.add(check) }
        // From the first connection on, whether kv-service is reachable or not: `/readyz` reports that, and each request
        // fails by itself.
        runtime.gate.set(.ready)
    }

    /// The data routes of one event loop, and the pool behind them.
    func routes(_ eventLoop: any EventLoop) -> [Route] {
        let pool = UpstreamPool(
            eventLoop: eventLoop,
            connector: self.connector,
            limits: self.upstreamLimits,
            monitor: self.monitor,
            accessKey: self.accessKey
        )
        self.pools.withLock { $0.append(NIOLoopBound(pool, eventLoop: eventLoop)) }
        let forwarder = KeyValueForwarder(
            pool: pool,
            monitor: self.monitor,
            limits: self.keyValueLimits,
            timeoutNanoseconds: self.timeoutNanoseconds
        )
        return self.routes(of: forwarder, pool)
    }

    /// Too many requests of one client, or of all.
    private func refusal(isWrite: Bool, _ pool: UpstreamPool) -> Route.Refusal {
        { [rateLimit] request in
            if let problem = rateLimit.refusal(of: request) { return problem }
            return pool.refuses(isWrite: isWrite, now: request.receivedAtNanoseconds) ? Problem.overloaded : nil
        }
    }

    private func routes(of forwarder: KeyValueForwarder, _ pool: UpstreamPool) -> [Route] {
        let (read, write) = (self.refusal(isWrite: false, pool), self.refusal(isWrite: true, pool))
        return [
            Route(
                path: "/api/set",
                handler: "api_set",
                kind: .data(isWrite: true), access: .role(.write),
                bodyLimitBytes: self.keyValueLimits.maxSetBodyBytes,
                bodyRefusal: { [keyValueLimits] in SetRequest.refusal(ofBody: $1, $0, limits: keyValueLimits) },
                refusal: write,
                takesPreconditions: true,
                actions: [(.post, forwarder.set), (.put, forwarder.set)]
            ),
            Route(
                path: "/api/get",
                handler: "api_get",
                kind: .data(isWrite: false), access: .role(.read),
                refusal: read,
                actions: [(.get, forwarder.get)]
            ),
            Route(
                path: "/api/delete",
                handler: "api_delete",
                kind: .data(isWrite: true), access: .role(.write),
                refusal: write,
                takesPreconditions: true,
                actions: [(.delete, forwarder.delete)]
            ),
            Route(
                path: "/api/keys",
                handler: "api_keys",
                kind: .data(isWrite: false), access: .role(.read),
                refusal: read,
                actions: [(.get, forwarder.keys)]
            ),
            Route(
                path: "/api/mget", handler: "api_mget", kind: .data(isWrite: false), access: .role(.read),
                bodyLimitBytes: SeveralRequest.maximumBodyBytes, refusal: read, actions: [(.post, forwarder.several)]
            ),
            Route(
                path: "/api/txn", handler: "api_txn", kind: .data(isWrite: true), access: .role(.write),
                bodyLimitBytes: TransactionRequest.maximumBodyBytes, refusal: write,
                actions: [(.post, forwarder.transaction)]
            ),
            Route(
                path: "/api/incr", handler: "api_incr", kind: .data(isWrite: true), access: .role(.write),
                bodyLimitBytes: IncrementRequest.maximumBodyBytes(self.keyValueLimits), refusal: write,
                takesPreconditions: true,
                actions: [(.post, forwarder.increment)]
            ),
            Route(
                path: "/api/watch",
                handler: "api_watch",
                kind: .data(isWrite: false), access: .role(.read),
                refusal: { [rateLimit] in rateLimit.refusal(of: $0) },
                actions: [(.get, self.watches.watch)]
            ),
        ]
    }

    /// Watches kv-service from now on.
    func start() async {
        MemoryTrim(registry: self.runtime.registry, logger: self.runtime.logger).start()
        guard let pool = self.pools.withLock({ $0.first }) else { return }
        let (monitor, events, admin) = (self.monitor, self.runtime.events, self.admin)
        pool.eventLoop.execute {
            let probe = UpstreamProbe(pool: pool.value, monitor: monitor, events: events)
            probe.start(on: pool.eventLoop)
            pool.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(10), delay: .seconds(10)) { _ in
                admin.rotateWindows()
            }
        }
        self.runtime.logger.notice(
            "forwarding",
            metadata: ["upstream": "\(monitor.address)", "timeout_ms": .number(self.timeoutNanoseconds / 1_000_000)]
        )
    }

    /// Closes the connections to kv-service. No request is in flight any more.
    func stop() async {
        for pool in self.pools.withLock({ $0 }) {
            try? await pool.eventLoop.submit { pool.value.shutDown() }.get()
        }
    }
}

extension Duration {
    /// Nanoseconds, for durations that settings limit to hours.
    fileprivate var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = self.components
        return UInt64(max(0, seconds)) * 1_000_000_000 + UInt64(max(0, attoseconds)) / 1_000_000_000
    }
}
