public import AccessControl
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
            connectionsMax: self.connectionLimit.connections, members: members)
        let configuration = ConfigurationDocument(
            settings: self.settings, levelSetting: self.common.logLevel, level: self.logLevel)
        let slow = SlowDocument(identity: self.identity, slowRequests: self.telemetry.slowRequests)
        return [
            overview.route, configuration.route,
            EventsDocument(identity: self.identity, journal: self.events).route, slow.route,
            LogLevelActions(self.logLevelControl).route(authorization),
        ] + SwitchActions(gate: self.gate, events: self.events).routes(authorization)
    }

    /// Reads the access keys, if there are any, and says who may use the actions below `/admin`. Call it before the
    /// service listens: until then no access key is known.
    public func adminAuthorization() throws(ServiceFailure) -> AdminAuthorization {
        if let path = self.settings[self.common.accessKeysFile] {
            do throws(AccessKeyFileError) { self.replaceAccessKeys(by: try AccessKeyFile.load(path)) } catch {
                throw ServiceFailure(.configuration, "--access-keys-file: \(error)")
            }
            return .byAccessKey
        }
        do { return try AdminAuthorization(tokenFile: self.settings[self.common.adminTokenFile]) } catch {
            throw ServiceFailure(.configuration, "\(error)")
        }
    }

    /// When this returns, no other access keys are accepted than those of `table`, which is that of `--access-keys-file`.
    /// Any thread.
    public func replaceAccessKeys(by table: AccessKeyTable) {
        self.telemetry.metrics.beginSeries(ofClients: table.entries.map(\.name))
        self.accessKeys?.replace(table)
    }
}
