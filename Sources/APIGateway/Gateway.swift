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
import TransportSecurity

/// The parts of a running gateway: its upstreams, and for each event loop its routes. Any thread.
final class Gateway: Sendable {
    private static let upstreamProblems =
        UpstreamFailure.problems + UpstreamAnswer.problems + [Problem.rateLimitedKind, UpstreamTable.noUpstream]
    /// Of requests that name several keys.
    private static let severalProblems = upstreamProblems + [UpstreamTable.spansUpstreams]
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
            "api_keys", [.get, .head], problems: ProblemKind.ofKeys + severalProblems, passesProblemsOn: true),
        HandlerDeclaration(
            "api_mget", [.post], problems: ProblemKind.ofSeveral + severalProblems, passesProblemsOn: true),
        HandlerDeclaration(
            "api_txn", [.post], problems: ProblemKind.ofTransaction + severalProblems, passesProblemsOn: true),
        HandlerDeclaration(
            "api_incr", [.post], problems: ProblemKind.ofIncrement + upstreamProblems, passesProblemsOn: true),
        HandlerDeclaration(
            "api_watch", [.get, .head],
            problems: ProblemKind.ofWatch + WatchRelay.problems + UpstreamAnswer.problems
                + [Problem.rateLimitedKind, UpstreamTable.noUpstream, UpstreamTable.spansUpstreams],
            passesProblemsOn: true),
    ]

    private let runtime: ServiceRuntime
    private let upstreams: Upstreams
    private let keyValueLimits: KeyValueLimits
    private let timeoutNanoseconds: UInt64
    private let watches: WatchForwarding
    private let rateLimit: ClientRateLimit
    let admin: GatewayAdmin

    /// - Parameters:
    ///   - routes: which upstreams there are at first.
    ///   - tls: of connections to kv-service; nil for plain HTTP.
    ///   - accessKey: by which kv-service knows the gateway; nil if it needs none.
    init(runtime: ServiceRuntime, routes: [UpstreamRoute], tls: TLSEndpoint?, accessKey: UpstreamAccessKey?) {
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
        let hasRoutes = settings[GatewaySettings.routesFile] != nil
        let most = upstreamLimits.pool.maxConnections
        let watchers = min(
            settings[GatewaySettings.maxWatchers],
            max(files - eventLoops * most * GatewayProgram.mostUpstreams(hasRoutes: hasRoutes), files / 2))
        self.timeoutNanoseconds = settings[GatewaySettings.upstreamTimeout].wholeNanoseconds
        self.upstreams = Upstreams(
            routes,
            Upstreams.Common(
                registry: runtime.registry, events: runtime.events, tls: tls, accessKey: accessKey,
                limits: upstreamLimits, timeoutNanoseconds: self.timeoutNanoseconds,
                budget: ConnectionBudget(connections: (files - watchers) / eventLoops, most: most),
                hasRoutes: hasRoutes))
        if hasRoutes { runtime.reloader.add(self.upstreams.reloads) }
        self.watches = WatchForwarding(
            limits: upstreamLimits, accessKey: accessKey, limit: watchers, timeoutNanoseconds: self.timeoutNanoseconds)
        self.watches.register(in: runtime.registry)
        let rateLimit = ClientRateLimit(ClientRateLimit.limits(settings), registry: runtime.registry)
        runtime.reloader.add(rateLimit.reloads)
        self.rateLimit = rateLimit
        self.admin = GatewayAdmin(
            table: { [upstreams] in upstreams.table }, rateLimit: rateLimit,
            timeoutNanoseconds: self.timeoutNanoseconds,
            queueNanoseconds: upstreamLimits.pool.queue.waitNanoseconds)
        for check in self.upstreams.checks { runtime.add(check) }
        // From the first connection on, whether kv-service is reachable or not: `/readyz` reports that, and each request
        // fails by itself.
        runtime.gate.set(.ready)
    }

    /// The data routes of one event loop.
    func routes(_ eventLoop: any EventLoop) -> [Route] {
        let upstreams = self.upstreams.add(eventLoop)
        return self.routes(of: KeyValueRoutes(upstreams: upstreams, limits: self.keyValueLimits), upstreams)
    }

    /// Too many requests of one client, or of all.
    private func refusal(isWrite: Bool, _ upstreams: LoopUpstreams) -> Route.Refusal {
        { [rateLimit] request in
            if let problem = rateLimit.refusal(of: request) { return problem }
            return upstreams.refuses(request, isWrite: isWrite) ? Problem.overloaded : nil
        }
    }

    private func routes(of actions: KeyValueRoutes, _ upstreams: LoopUpstreams) -> [Route] {
        let (read, write) = (self.refusal(isWrite: false, upstreams), self.refusal(isWrite: true, upstreams))
        return [
            Route(
                path: "/api/set",
                handler: "api_set",
                kind: .data(isWrite: true), access: .role(.write),
                bodyLimitBytes: self.keyValueLimits.maxSetBodyBytes,
                bodyRefusal: { [keyValueLimits] in SetRequest.refusal(ofBody: $1, $0, limits: keyValueLimits) },
                refusal: write,
                takesPreconditions: true,
                actions: [(.post, actions.set), (.put, actions.set)]
            ),
            Route(
                path: "/api/get",
                handler: "api_get",
                kind: .data(isWrite: false), access: .role(.read),
                refusal: read,
                actions: [(.get, actions.get)]
            ),
            Route(
                path: "/api/delete",
                handler: "api_delete",
                kind: .data(isWrite: true), access: .role(.write),
                refusal: write,
                takesPreconditions: true,
                actions: [(.delete, actions.delete)]
            ),
            Route(
                path: "/api/keys",
                handler: "api_keys",
                kind: .data(isWrite: false), access: .role(.read),
                refusal: read,
                actions: [(.get, actions.keys)]
            ),
            Route(
                path: "/api/mget", handler: "api_mget", kind: .data(isWrite: false), access: .role(.read),
                bodyLimitBytes: SeveralRequest.maximumBodyBytes, refusal: read, actions: [(.post, actions.several)]
            ),
            Route(
                path: "/api/txn", handler: "api_txn", kind: .data(isWrite: true), access: .role(.write),
                bodyLimitBytes: TransactionRequest.maximumBodyBytes, refusal: write,
                actions: [(.post, actions.transaction)]
            ),
            Route(
                path: "/api/incr", handler: "api_incr", kind: .data(isWrite: true), access: .role(.write),
                bodyLimitBytes: IncrementRequest.maximumBodyBytes(self.keyValueLimits), refusal: write,
                takesPreconditions: true,
                actions: [(.post, actions.increment)]
            ),
            Route(
                path: "/api/watch",
                handler: "api_watch",
                kind: .data(isWrite: false), access: .role(.read),
                refusal: { [rateLimit] in rateLimit.refusal(of: $0) },
                actions: [(.get, { [watches] in watches.watch($0, $1, upstreams) })]
            ),
        ]
    }

    /// Watches kv-service from now on.
    func start() async {
        MemoryTrim(registry: self.runtime.registry, logger: self.runtime.logger).start()
        let admin = self.admin
        self.upstreams.startProbes()?.scheduleRepeatedTask(initialDelay: .seconds(10), delay: .seconds(10)) { _ in
            admin.rotateWindows()
        }
        for entry in self.upstreams.table.entries {
            self.runtime.logger.notice(
                "forwarding",
                metadata: [
                    "upstream": "\(entry.route.name)", "url": "\(entry.route.address)",
                    "prefixes": "\(entry.route.prefixTexts.joined(separator: ","))",
                    "timeout_ms": .number(self.timeoutNanoseconds / 1_000_000),
                ])
        }
    }

    /// Closes the connections to kv-service. No request is in flight any more.
    func stop() async { await self.upstreams.stop() }
}

extension Duration {
    /// Nanoseconds, for durations that settings limit to hours.
    fileprivate var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = self.components
        return UInt64(max(0, seconds)) * 1_000_000_000 + UInt64(max(0, attoseconds)) / 1_000_000_000
    }
}
