import Admin
import PrometheusMetrics
import ServiceSettings
import TransportSecurity

/// A kv-service that the gateway forwards to: where it is, and what is known of it. Its keys are in the ``UpstreamTable``,
/// for they may change while it stays. Any thread.
final class Upstream: Sendable {
    let monitor: UpstreamMonitor
    let connector: UpstreamConnector
    /// Of the pool of each event loop.
    let maxConnections: Int
    /// What answers call it: by its name, if it was given one.
    let title: String
    /// The member `upstream` of access lines, with a comma before it; empty without a routes file.
    let accessNote: [UInt8]

    var name: String { self.monitor.name }
    var address: UpstreamAddress { self.monitor.address }

    /// - Parameter isNamed: whether access lines and answers name it.
    init(monitor: UpstreamMonitor, connector: UpstreamConnector, maxConnections: Int, isNamed: Bool = false) {
        self.monitor = monitor
        self.connector = connector
        self.maxConnections = maxConnections
        self.title = isNamed ? "kv-service \(monitor.name)" : "kv-service"
        // The characters of a name need no escape.
        self.accessNote = isNamed ? Array(",\"upstream\":\"\(monitor.name)\"".utf8) : []
    }
}
