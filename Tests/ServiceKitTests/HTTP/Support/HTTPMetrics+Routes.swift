import HTTP1
import PrometheusMetrics

@testable import HTTPServing
@testable import Telemetry

extension HTTPMetrics {
    /// Of a server for tests, whose handlers may answer anything.
    convenience init(
        registry: MetricsRegistry, routes: [(handler: String, methods: [RequestMethod])], nowNanoseconds: UInt64
    ) {
        self.init(
            registry: registry, declarations: routes.map { HandlerDeclaration($0.handler, $0.methods) },
            isStrict: false, nowNanoseconds: nowNanoseconds)
    }
}
