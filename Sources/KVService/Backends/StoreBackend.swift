import Admin
import HTTPServing
import JSON
import KeyValueStore
import ServiceKit

/// What keeps the data of kv-service: how it is opened and closed, and what operators see of it.
protocol StoreBackend: Sendable {
    /// The metrics of the log, if there is one.
    var log: LogMetrics? { get }
    /// Opens the engine, which the holder has afterwards. The service does not accept requests of data before that.
    func start() async throws(ServiceFailure)
    /// - Throws: if the engine, which is closed, had failed: a stop after refused or unknown writes is not clean.
    func closed() throws(ServiceFailure)
    /// Its routes below `/admin`.
    func adminRoutes(_ authorization: AdminAuthorization) -> [Route]
    /// Its members of `GET /admin`.
    func writeAdmin(to document: inout JSONWriter)
}
