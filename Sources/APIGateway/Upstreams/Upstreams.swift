import Admin
import HTTPServing
import Health
import Logging
import NIOCore
import PrometheusMetrics
import ServiceKit
import ServiceSettings
import Synchronization
import TransportSecurity

/// The upstreams of the gateway: one ``UpstreamTable`` at a time, which a reload of the routes file exchanges on every event
/// loop. Any thread.
final class Upstreams: Sendable {
    /// What all upstreams share.
    struct Common: Sendable {
        let registry: MetricsRegistry
        let events: EventJournal
        /// Nil if no upstream has TLS.
        let tls: TLSEndpoint?
        /// By which kv-service knows the gateway; nil if it needs none.
        let accessKey: UpstreamAccessKey?
        /// Those of a pool, but for its connections.
        let limits: UpstreamLimits
        let timeoutNanoseconds: UInt64
        let budget: ConnectionBudget
        /// Whether there is a routes file.
        let hasRoutes: Bool
    }

    private struct Held {
        var table: UpstreamTable
        var loops: [NIOLoopBound<LoopUpstreams>] = []
    }

    private let common: Common
    private let held: Mutex<Held>

    /// - Parameter routes: at least one.
    init(_ routes: [UpstreamRoute], _ common: Common) {
        self.common = common
        // However few files there are, each event loop needs the least.
        let share = common.budget.share(besides: [], of: routes.count) ?? UpstreamLimits.leastConnections
        self.held = Mutex(
            Held(table: UpstreamTable(routes.map { .init(route: $0, upstream: Self.upstream($0, share, common)) })))
    }

    /// Whether there is a routes file.
    var hasRoutes: Bool { self.common.hasRoutes }

    var table: UpstreamTable { self.held.withLock { $0.table } }

    private static func upstream(_ route: UpstreamRoute, _ maxConnections: Int, _ common: Common) -> Upstream {
        Upstream(
            monitor: UpstreamMonitor(
                name: route.name, address: route.address, registry: common.registry, events: common.events),
            connector: UpstreamConnector(
                address: route.address, tls: route.address.isSecure ? common.tls : nil,
                timeoutNanoseconds: common.limits.connectNanoseconds),
            maxConnections: maxConnections, isNamed: common.hasRoutes)
    }

    // MARK: Event loops

    /// The upstreams of one event loop; on that loop, once for each.
    func add(_ eventLoop: any EventLoop) -> LoopUpstreams {
        let common = self.common
        let upstreams = LoopUpstreams(self.table) { upstream in
            var limits = common.limits
            limits.pool.maxConnections = upstream.maxConnections
            let pool = UpstreamPool(
                eventLoop: eventLoop, connector: upstream.connector, limits: limits, monitor: upstream.monitor,
                accessKey: common.accessKey)
            return KeyValueForwarder(
                pool: pool, upstream: upstream, timeoutNanoseconds: common.timeoutNanoseconds)
        }
        self.held.withLock { $0.loops.append(NIOLoopBound(upstreams, eventLoop: eventLoop)) }
        return upstreams
    }

    /// Probes each upstream once a second, on one of the event loops.
    ///
    /// - Returns: that event loop.
    func startProbes() -> (any EventLoop)? {
        guard let loop = self.held.withLock({ $0.loops.first }) else { return nil }
        let events = self.common.events
        loop.eventLoop.execute {
            loop.value.startProbes { UpstreamProbe(pool: $0.pool, monitor: $0.monitor, events: events) }
        }
        return loop.eventLoop
    }

    /// Closes all connections. No request is in flight any more.
    func stop() async {
        for loop in self.held.withLock({ $0.loops }) {
            // Fails if the event loop has ended; its connections have ended with it.
            try? await loop.eventLoop.submit { loop.value.shutDown() }.get()
        }
    }

    // MARK: Reloads

    /// Other routes: those of the file as it is then.
    var reloads: ReloadPart {
        let setting = GatewaySettings.routesFile
        return ReloadPart(settings: [setting.name], files: { [$0[setting]].compactMap { $0 } }) {
            (new: ResolvedSettings) throws(ReloadError) in
            guard new[setting] != nil else {
                throw ReloadError("--routes-file: can be taken away by a restart only")
            }
            let routes: [UpstreamRoute]
            do throws(ServiceFailure) { routes = try RoutesFile.routes(new) } catch { throw ReloadError("\(error)") }
            let share = try self.share(routes)
            return { self.take(routes, share) }
        }
    }

    /// The connections of each new pool.
    private func share(_ routes: [UpstreamRoute]) throws(ReloadError) -> Int {
        if self.common.tls == nil, let secure = routes.first(where: \.address.isSecure) {
            throw ReloadError(
                "--routes-file: \(secure.name) is the first upstream with TLS, which can be begun by a restart only")
        }
        let table = self.table
        let kept = routes.compactMap { table.upstream(of: $0)?.maxConnections }
        guard let share = self.common.budget.share(besides: kept, of: routes.count - kept.count) else {
            throw ReloadError(
                "--routes-file: the limit of open files leaves no connections for further upstreams; restart, or raise it"
            )
        }
        return share
    }

    /// Puts routes in force. Upstreams whose name and address stay are kept, with their pools, circuits and figures.
    func take(_ routes: [UpstreamRoute], _ share: Int) {
        let old = self.table
        for entry in old.entries where !routes.contains(where: { old.upstream(of: $0) === entry.upstream }) {
            // The name may be that of a new one.
            self.common.registry.removeSeries(withLabel: ("upstream", entry.upstream.name))
        }
        let table = UpstreamTable(
            routes.map { route in
                .init(route: route, upstream: old.upstream(of: route) ?? Self.upstream(route, share, self.common))
            })
        let loops = self.held.withLock { held in
            held.table = table
            return held.loops
        }
        for loop in loops {
            // Fails if the event loop has ended; then there are no requests.
            try? loop.eventLoop.submit { loop.value.take(table) }.wait()
        }
    }
}

extension UpstreamTable {
    /// The upstream that has the name and the address of a route.
    fileprivate func upstream(of route: UpstreamRoute) -> Upstream? {
        self.entries.first { $0.upstream.name == route.name && $0.upstream.address == route.address }?.upstream
    }
}
