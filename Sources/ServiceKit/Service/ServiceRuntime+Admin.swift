import AccessControl
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

    /// Reads the access keys, if there are any, which are exchanged by reloads, and says who may use the actions below
    /// `/admin`. Call it before the service listens: until then no access key is known.
    public func adminAuthorization() throws(ServiceFailure) -> AdminAuthorization {
        if let path = self.settings[self.common.accessKeysFile] {
            do throws(AccessKeyFileError) { self.replaceAccessKeys(by: try AccessKeyFile.load(path)) } catch {
                throw ServiceFailure(.configuration, "--access-keys-file: \(error)")
            }
            let setting = self.common.accessKeysFile
            self.reloader.add(
                ReloadPart(settings: [setting.name], files: { [$0[setting]].compactMap { $0 } }) {
                    (new: ResolvedSettings) throws(ReloadError) in
                    guard let path = new[setting] else {
                        throw ReloadError("--access-keys-file: can be taken away by a restart only")
                    }
                    let table: AccessKeyTable
                    do { table = try AccessKeyFile.load(path) } catch {
                        throw ReloadError("--access-keys-file: \(error)")
                    }
                    return { self.replaceAccessKeys(by: table) }
                })
            return .byAccessKey
        }
        let setting = self.common.adminTokenFile
        let authorization: AdminAuthorization
        do { authorization = try AdminAuthorization(tokenFile: self.settings[setting]) } catch {
            throw ServiceFailure(.configuration, "\(error)")
        }
        if self.settings[setting] != nil {
            self.reloader.add(
                ReloadPart(settings: [setting.name], files: { [$0[setting]].compactMap { $0 } }) {
                    (new: ResolvedSettings) throws(ReloadError) in
                    guard let path = new[setting] else {
                        throw ReloadError("--admin-token-file: can be taken away by a restart only")
                    }
                    do { return try authorization.reloaded(tokenFile: path) } catch { throw ReloadError("\(error)") }
                })
        }
        return authorization
    }

    /// When this returns, no other access keys are accepted than those of `table`. Any thread.
    private func replaceAccessKeys(by table: AccessKeyTable) {
        self.telemetry.metrics.beginSeries(ofClients: table.entries.map(\.name))
        self.accessKeys?.replace(table)
    }
}
