import HTTP1
public import HTTPServing
public import Health
public import JSON
import NIOHTTP1
public import PrometheusMetrics
import SystemSupport
public import Telemetry

/// `GET /admin`: who this is, its state and its times, what operators have switched, `process` and `http`; then the
/// members of the service itself, and the checks.
public struct OverviewDocument: Sendable {
    /// The documents below `/admin`, as `links` names them.
    private static let links: [(name: StaticString, path: String)] = [
        ("config", "/admin/config"), ("events", "/admin/events"), ("slow", "/admin/slow"),
        ("log_level", "/admin/log-level"), ("read_only", "/admin/read-only"), ("drain", "/admin/drain"),
        ("metrics", "/metrics"), ("readiness", "/readyz"),
    ]

    private let identity: ServiceIdentity
    private let gate: ServiceGate
    private let logLevel: LogLevelControl
    private let metrics: HTTPMetrics
    private let connectionsMax: Int
    private let members: @Sendable (inout JSONWriter) -> Void

    /// - Parameters:
    ///   - connectionsMax: client connections that are taken at one time.
    ///   - members: writes those that only this service has.
    public init(
        identity: ServiceIdentity, gate: ServiceGate, logLevel: LogLevelControl, metrics: HTTPMetrics,
        connectionsMax: Int, members: @escaping @Sendable (inout JSONWriter) -> Void
    ) {
        self.identity = identity
        self.gate = gate
        self.logLevel = logLevel
        self.metrics = metrics
        self.connectionsMax = connectionsMax
        self.members = members
    }

    public var route: Route { .admin("/admin", get: { _ in .json(.ok, self.bytes) }) }

    /// Reads `/proc`, some tens of microseconds.
    private var bytes: [UInt8] {
        var writer = JSONWriter(reservingBytes: 8_192)
        writer.object { document in
            self.writeHead(to: &document)
            self.members(&document)
            self.gate.writeChecks(to: &document)
            document.member(
                "links", object: { links in for (name, path) in Self.links { links.member(name, path) } })
        }
        writer.newline()
        return writer.bytes
    }

    private func writeHead(to document: inout JSONWriter) {
        let uptime = MonotonicClock.nanoseconds() - self.identity.startedMonotonicNanoseconds
        let (state, reason, serving) = self.gate.described
        self.identity.writeHead(to: &document)
        document.member("version", BuildInfo.version)
        document.member("commit", BuildInfo.commit)
        document.member("swift_version", BuildInfo.swiftVersion)
        document.member("build_type", BuildInfo.buildType)
        document.member("state", state)
        document.member("state_reason", reason)
        document.member("serving", serving)
        document.memberTimestamp("started_at", nanosecondsSince1970: self.identity.startedAtNanoseconds)
        document.member("uptime_seconds", Double(uptime) / 1e9)
        self.gate.writeSwitches(to: &document)
        document.member("log_level", object: self.logLevel.write)
        document.member("process", object: Self.writeProcess)
        document.member("http", object: self.writeHTTP)
    }

    private static func writeProcess(_ process: inout JSONWriter) {
        let sample = ProcessMetrics.sample()
        process.member("pid", sample.pid)
        process.member("cpu_seconds", sample.cpuSeconds)
        process.member("resident_memory_bytes", sample.residentMemoryBytes)
        process.member("open_fds", sample.openFDs)
        process.member("max_fds", sample.maxFDs)
        process.member("threads", sample.threads)
    }

    private func writeHTTP(_ http: inout JSONWriter) {
        let routes = self.metrics.summaries(nowNanoseconds: MonotonicClock.nanoseconds())
        http.member("connections", self.metrics.connections)
        http.member("connections_max", self.connectionsMax)
        http.member("requests_in_flight", self.metrics.requestsInFlight)
        http.member("requests_total", routes.reduce(0) { $0 + $1.requests })
        http.member("errors_5xx_total", routes.reduce(0) { $0 + $1.errors })
        http.member(
            "routes",
            array: { array in
                for route in routes {
                    array.element(object: { object in
                        object.member("handler", route.handler)
                        object.member("requests_total", route.requests)
                        object.member("errors_total", route.errors)
                        object.member("duration_seconds", object: { $0.writeQuantiles(route.durations) })
                    })
                }
            })
    }
}

extension JSONWriter {
    /// `p50` to `max` of the last minute; null if nothing was recorded.
    public mutating func writeQuantiles(_ quantiles: QuantileWindow.Quantiles) {
        self.member("p50", quantiles.p50)
        self.member("p90", quantiles.p90)
        self.member("p99", quantiles.p99)
        self.member("p999", quantiles.p999)
        self.member("max", quantiles.max)
        self.member("window_seconds", quantiles.windowSeconds)
    }
}
