public import Logging
import NIOCore
public import ServiceSettings
import SystemSupport
public import TraceExport
import TransportSecurity

/// The settings that both services have, with the same names and meanings.
public struct CommonSettings: Sendable {
    public let listen: Setting<ListenAddress>
    public let adminListen = Setting<ListenAddress?>(
        optional: "admin-listen", .listenAddress,
        help: "Separate address for /metrics and /admin")
    public let adminTokenFile = Setting<String?>(
        optional: "admin-token-file", .filePath,
        help: "File with the bearer token for /admin actions; without it, only loopback clients may send actions")
    public let accessKeysFile = Setting<String?>(
        optional: "access-keys-file", .filePath,
        help: "File with the access keys of clients, made by kvctl key add; without it, requests need none")
    public let tlsCertFile = Setting<String?>(
        optional: "tls-cert-file", .filePath,
        help: "PEM file with the certificate, and those between it and its authority: serve TLS on every address")
    public let tlsKeyFile = Setting<String?>(
        optional: "tls-key-file", .filePath, help: "PEM file with the private key of the certificate")
    public let tlsClientCAFile = Setting<String?>(
        optional: "tls-client-ca-file", .filePath,
        help: "PEM file with authorities: only clients with a certificate of one of them are served")
    public let insecureRemoteAccess = Setting(
        "insecure-remote-access", .boolean, default: "false",
        help: "Serve other hosts although TLS or access control is missing: whoever reaches it can read and change all")
    public let eventLoops: Setting<Int>
    public let logLevel = Setting(
        "log-level", .logLevel, default: "info",
        help: "Minimum level of log lines: trace, debug, info, notice, warning, error or critical")
    public let maxConnections = Setting(
        "max-connections", .integer(in: 1...1_000_000), default: "10000",
        help: "Maximum number of client connections; further ones are closed, up to 64 at a time after a 503")
    public let trustedProxies = Setting<[AddressRange]?>(
        optional: "trusted-proxies", .addressRanges,
        help: "Addresses of proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8,2001:db8::1")
    public let shutdownTimeout = Setting(
        "shutdown-timeout", .duration(in: .milliseconds(1) ... .seconds(3600)), default: "10s",
        help: "Maximum duration of the graceful stop")

    public let otlpEndpoint = Setting<OTLPEndpoint?>(
        optional: "otlp-endpoint", .otlpEndpoint,
        help:
            "Collector that receives spans as OTLP/HTTP JSON, http://host:4318; without it, no spans are created"
    )
    public let traceSampleRatio = Setting(
        "trace-sample-ratio", .ratio(in: 0...1), default: "1",
        help: "Share of the traces begun by this service that is exported; for other traces the caller decides")

    /// - Parameter listen: the default address.
    public init(listen: String) {
        self.listen = Setting(
            "listen", .listenAddress, default: listen,
            help: "Address to listen on; port 0 takes a free port, which the log line \"listening\" contains")
        self.eventLoops = Setting(
            "event-loops", .eventLoops, default: "auto",
            help: "Number of threads that serve connections; auto is one less than the cores that the process may use")
    }

    /// All settings, in the order of the help; `others` follow the addresses.
    public func list(with others: [any SettingDefinition]) -> [any SettingDefinition] {
        [
            self.listen, self.adminListen, self.accessKeysFile, self.adminTokenFile, self.tlsCertFile, self.tlsKeyFile,
            self.tlsClientCAFile, self.insecureRemoteAccess,
        ] + others
            + [
                self.maxConnections, self.trustedProxies, self.eventLoops, self.logLevel, self.otlpEndpoint,
                self.traceSampleRatio,
                self.shutdownTimeout,
            ]
    }
}

extension CommonSettings {
    /// The number of threads that serve connections.
    ///
    /// By default, one core is left to the threads that write the log and the log lines: if they have to share theirs
    /// with an event loop, the requests of that loop wait, and with them the 99th percentile of all.
    public func eventLoopCount(_ settings: ResolvedSettings) -> Int {
        let asked = settings[self.eventLoops]
        if asked > 0 { return asked }
        // NIO counts the cores that a cgroup allows, which can be fewer than the affinity allows, and vice versa.
        return max(1, min(System.coreCount, ProcessorCount.ofThisThread ?? .max) - 1)
    }

    /// Errors in the combination of values.
    public func contradictions(_ settings: ResolvedSettings) -> [ConfigurationError] {
        self.addressErrors(settings) + self.tlsErrors(settings)
    }

    private func addressErrors(_ settings: ResolvedSettings) -> [ConfigurationError] {
        var errors: [ConfigurationError] = []
        let listen = settings[self.listen]
        if listen.port != 0, settings[self.adminListen] == listen {
            errors.append(
                settings.error(
                    self.adminListen,
                    "\(listen) is --listen; leave it out to serve /metrics and /admin there, or choose another address")
            )
        }
        if settings[self.accessKeysFile] != nil, settings[self.adminTokenFile] != nil {
            errors.append(
                settings.error(
                    self.adminTokenFile,
                    "with --access-keys-file, actions need an access key with the role admin; leave one of both out"))
        }
        return errors
    }

    private func tlsErrors(_ settings: ResolvedSettings) -> [ConfigurationError] {
        let (certificate, key) = (settings[self.tlsCertFile], settings[self.tlsKeyFile])
        var errors: [ConfigurationError] = []
        if certificate != nil, key == nil {
            errors.append(settings.error(self.tlsKeyFile, "is missing: --tls-cert-file needs the private key"))
        }
        if certificate == nil, key != nil {
            errors.append(settings.error(self.tlsCertFile, "is missing: --tls-key-file is the key of a certificate"))
        }
        if certificate == nil, settings[self.tlsClientCAFile] != nil {
            errors.append(
                settings.error(self.tlsClientCAFile, "needs --tls-cert-file: clients show certificates over TLS only"))
        }
        return errors
    }

    /// Errors of a service that would serve other hosts without TLS, or without asking who the client is, although the
    /// operator has not said that it may.
    ///
    /// - Parameter inherited: listens in place of the addresses of the settings.
    func accessErrors(_ settings: ResolvedSettings, _ inherited: InheritedListeners) -> [ConfigurationError] {
        if settings[self.insecureRemoteAccess] { return [] }
        let hasTLS = settings[self.tlsCertFile] != nil
        let asksWhoItIs = settings[self.tlsClientCAFile] != nil || settings[self.accessKeysFile] != nil
        if hasTLS && asksWhoItIs { return [] }
        let missing = [
            hasTLS ? nil : "TLS (--tls-cert-file, --tls-key-file)",
            asksWhoItIs ? nil : "check of who the client is (--access-keys-file or --tls-client-ca-file)",
        ].compactMap { $0 }.joined(separator: " and no ")
        func error<Value>(_ setting: Setting<Value>, _ address: ListenAddress?) -> ConfigurationError? {
            guard let address, !address.isLoopback else { return nil }
            return settings.error(
                setting,
                "\(address) can be reached from other hosts, but there is no \(missing). Set what is missing, listen on "
                    + "127.0.0.1, or, if whoever reaches the address may read and change everything, say "
                    + "--insecure-remote-access true")
        }
        return [
            error(self.listen, inherited.main?.address ?? settings[self.listen]),
            error(self.adminListen, inherited.admin?.address ?? settings[self.adminListen]),
        ].compactMap { $0 }
    }

    /// The files of the service's own certificate; nil without TLS.
    func certificateFiles(_ settings: ResolvedSettings) -> CertificateFiles? {
        guard let certificate = settings[self.tlsCertFile] else { return nil }
        return CertificateFiles(
            certificate: certificate, privateKey: settings[self.tlsKeyFile],
            authorities: settings[self.tlsClientCAFile])
    }
}

extension SettingKind where Value == Int {
    /// A number of event loops, or `auto` for the number of cores, which is 0 here.
    fileprivate static var eventLoops: SettingKind {
        SettingKind(
            placeholder: "number", expectation: "auto or a whole number from 1 to 256", jsonForms: [.number, .string],
            completion: .words(["auto"])
        ) { text in text == "auto" ? 0 : Int(text).flatMap { (1...256).contains($0) ? $0 : nil } }
    }
}

extension SettingKind where Value == Logger.Level {
    fileprivate static var logLevel: SettingKind {
        let words = Logger.Level.allCases.map(\.rawValue)
        return SettingKind(
            placeholder: "level", expectation: "one of \(words.joined(separator: ", "))", completion: .words(words)
        ) { Logger.Level(rawValue: $0) }
    }
}
