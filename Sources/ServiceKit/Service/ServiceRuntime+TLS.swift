import JSON
import PrometheusMetrics
public import ServiceSettings
import Synchronization
import SystemSupport
public import TransportSecurity

/// The certificates of one side of a service's connections: which settings name them, and what is made of them.
public struct CertificateSource: Sendable {
    /// `listener` or `upstream`.
    let name: String
    let settings: [String]
    /// Nil without TLS.
    let files: @Sendable (ResolvedSettings) -> CertificateFiles?
    /// Reads them; blocks.
    let load: @Sendable (CertificateFiles) throws(CertificateError) -> TLSContext

    public init(
        name: String, settings: [String], files: @escaping @Sendable (ResolvedSettings) -> CertificateFiles?,
        load: @escaping @Sendable (CertificateFiles) throws(CertificateError) -> TLSContext
    ) {
        self.name = name
        self.settings = settings
        self.files = files
        self.load = load
    }
}

extension ServiceRuntime {
    /// Reads certificates, which are then exchanged by reloads, and shown in metrics and `/admin` with their expiry. TLS is
    /// neither begun nor ended while the service runs.
    ///
    /// - Returns: nil without TLS.
    public func endpoint(_ source: CertificateSource) throws(ServiceFailure) -> TLSEndpoint? {
        guard let files = source.files(self.settings) else { return nil }
        let endpoint: TLSEndpoint
        do { endpoint = TLSEndpoint(name: source.name, try source.load(files)) } catch {
            throw ServiceFailure(.configuration, "cannot use the certificates of the \(source.name): \(error)")
        }
        self.reloader.add(
            ReloadPart(settings: source.settings, files: { source.files($0)?.paths ?? [] }) {
                (new: ResolvedSettings) throws(ReloadError) in
                guard let files = source.files(new) else {
                    throw ReloadError("TLS of the \(source.name) can be switched off by a restart only")
                }
                let context: TLSContext
                do { context = try source.load(files) } catch { throw ReloadError("\(error)") }
                return { endpoint.replace(with: context) }
            })
        self.endpoints.withLock { $0.append(endpoint) }
        self.registerExpiry(of: endpoint)
        return endpoint
    }

    /// That of the listeners.
    func listenerEndpoint() throws(ServiceFailure) -> TLSEndpoint? {
        let common = self.common
        return try self.endpoint(
            CertificateSource(
                name: "listener",
                settings: [common.tlsCertFile.name, common.tlsKeyFile.name, common.tlsClientCAFile.name],
                files: { common.certificateFiles($0) }, load: TLSContext.server))
    }

    private func registerExpiry(of endpoint: TLSEndpoint) {
        for (name, expiry) in endpoint.expiries where expiry() != nil {
            self.registry.gauge(
                "tls_certificate_expiry_timestamp_seconds",
                help: "When a certificate in use expires: the first of the chain, or of the trusted authorities.",
                labels: [("certificate", name)]
            ) { Double(expiry() ?? 0) }
        }
    }

    /// The member `certificates` of `GET /admin`.
    func writeCertificates(to document: inout JSONWriter) {
        let now = Int(WallClock.nanoseconds() / 1_000_000_000)
        document.member(
            "certificates",
            array: { array in
                for (name, expiry) in self.endpoints.withLock({ $0 }).flatMap(\.expiries) {
                    guard let expiry = expiry() else { continue }
                    array.element(object: { certificate in
                        certificate.member("name", name)
                        certificate.memberTimestamp(
                            "expires_at", nanosecondsSince1970: UInt64(max(0, expiry)) * 1_000_000_000)
                        certificate.member("expires_in_seconds", expiry - now)
                    })
                }
            })
    }
}

extension TLSEndpoint {
    /// By name, when what is in force expires: wall clock, seconds since 1970; nil if there is no such certificate.
    fileprivate var expiries: [(name: String, expiry: @Sendable () -> Int?)] {
        [
            (self.name, { self.current.expirySeconds }),
            ("\(self.name)_authorities", { self.current.authoritiesExpirySeconds }),
        ]
    }
}
