public import Admin
public import HTTPServing
public import JSON
import ServiceSettings
import SystemSupport
import Telemetry

extension ServiceRuntime {
    /// The documents and actions below `/admin` that both services have.
    ///
    /// - Parameter members: writes the members of `GET /admin` that only this service has.
    public func adminRoutes(
        authorization: AdminAuthorization, members: @escaping @Sendable (inout JSONWriter) -> Void
    ) -> [Route] {
        let overview = OverviewDocument(
            identity: self.identity, gate: self.gate, logLevel: self.logLevelControl, metrics: self.telemetry.metrics,
            connectionsMax: self.connectionLimit.connections,
            members: { document in
                self.writeCertificates(to: &document)
                members(&document)
            })
        let configuration = ConfigurationDocument(
            settings: { [reloader] in reloader.settings }, levelSetting: self.common.logLevel, level: self.logLevel,
            reload: self.reloader.write)
        let slow = SlowDocument(identity: self.identity, slowRequests: self.telemetry.slowRequests)
        return [
            overview.route, configuration.route,
            EventsDocument(identity: self.identity, journal: self.events).route, slow.route,
            LogLevelActions(self.logLevelControl).route(authorization),
        ] + SwitchActions(gate: self.gate, events: self.events).routes(authorization)
    }

    /// Who may use the actions below `/admin`.
    public func adminAuthorization() throws(ServiceFailure) -> AdminAuthorization {
        do { return try AdminAuthorization(tokenFile: self.settings[self.common.adminTokenFile]) } catch {
            throw ServiceFailure(.configuration, "\(error)")
        }
    }
}
