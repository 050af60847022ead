import Admin
import KeyValueHTTP
public import ServiceKit
public import ServiceSettings
public import SystemSupport
import TransportSecurity

/// api-gateway: the public API, which forwards to kv-service.
public enum GatewayProgram: ServiceProgram {
    public static let name = "api-gateway"
    public static let abstract =
        "The public API of the key-value store: checks requests and forwards them to kv-service."
    public static let examples: [(command: String, does: String)] = [
        ("api-gateway --listen 127.0.0.1:80", "serve on that address; kv-service runs on this host"),
        ("GATEWAY_UPSTREAM=http://kv:8081 api-gateway check-config", "show the effective settings"),
        ("api-gateway healthcheck", "exit 0 if the gateway on this host is ready"),
    ]
    public static let settings = GatewaySettings.table
    public static let common = GatewaySettings.common

    /// Files that it needs besides its clients' connections and those to kv-service: three per event loop.
    static func baseFiles(eventLoops: Int) -> Int { 17 + 3 * eventLoops }

    /// For as many upstreams there must be room: with a routes file, a reload may add some.
    static func mostUpstreams(hasRoutes: Bool) -> Int { hasRoutes ? RoutesParser.maximumRoutes : 1 }

    public static func report(_ settings: ResolvedSettings) throws(ServiceFailure) -> String {
        let routes = try RoutesFile.routes(settings)
        return settings[GatewaySettings.routesFile] == nil ? "" : "\n" + RoutesFile.table(routes)
    }

    public static func serve(_ settings: ResolvedSettings, _ openFiles: ProcessSetup.OpenFiles) async -> ProgramExit {
        let loaded = Result { () throws(ServiceFailure) in try RoutesFile.routes(settings) }
        let hasRoutes = settings[GatewaySettings.routesFile] != nil
        let limit = ServiceRuntime.connectionLimit(
            name: Self.name,
            settings: settings,
            common: GatewaySettings.common,
            openFiles,
            own: { loops in
                let base = Self.baseFiles(eventLoops: loops)
                return .init(
                    least: base + loops * UpstreamLimits.leastConnections * ((try? loaded.get().count) ?? 1),
                    most: base + loops * UpstreamLimits().pool.maxConnections * Self.mostUpstreams(hasRoutes: hasRoutes)
                        + settings[GatewaySettings.maxWatchers]
                )
            }
        )
        guard let limit else { return .configuration }
        let runtime = ServiceRuntime(
            name: Self.name,
            metricPrefix: "gateway",
            settings: settings,
            common: GatewaySettings.common,
            handlers: Gateway.handlers,
            eventKinds: EventKind.ofGateway,
            connectionLimit: limit,
            longestTargetBytes: KeyValueLimits.longestTargetBytes
        )
        let authorization: AdminAuthorization
        let routes: [UpstreamRoute]
        let upstreamTLS: TLSEndpoint?
        let accessKey: UpstreamAccessKey?
        do throws(ServiceFailure) {
            authorization = try runtime.adminAuthorization()
            routes = try loaded.get()
            upstreamTLS = try runtime.endpoint(GatewaySettings.upstreamCertificates(routes))
            accessKey = try settings[GatewaySettings.upstreamAccessKeyFile].map { (file) throws(ServiceFailure) in
                try UpstreamAccessKey(file: file)
            }
        } catch {
            return await runtime.refuse(error)
        }
        if let accessKey { runtime.reloader.add(accessKey.reloads) }
        let gateway = Gateway(runtime: runtime, routes: routes, tls: upstreamTLS, accessKey: accessKey)
        return await runtime.run(
            routes: { gateway.routes($0) },
            admin: { _ in runtime.adminRoutes(authorization: authorization, members: gateway.admin.write) },
            start: { () async throws(ServiceFailure) in await gateway.start() },
            stop: { await gateway.stop() }
        )
    }
}
