public import ServiceKit
public import ServiceSettings
import TransportSecurity

/// The settings of the gateway.
public enum GatewaySettings {
    public static let common = CommonSettings(listen: "127.0.0.1:8080")
    public static let upstream = Setting(
        "upstream",
        .upstreamAddress,
        default: "http://127.0.0.1:8081",
        help: "URL of kv-service: http://host:port, or https://host:port for TLS"
    )
    public static let routesFile = Setting<String?>(
        optional: "routes-file", .filePath,
        help: "File with several kv-services in place of --upstream, each with the prefixes of its keys"
    )
    static let upstreamTLSCAFile = Setting<String?>(
        optional: "upstream-tls-ca-file", .filePath,
        help: "PEM file with the authorities of kv-service's certificate; without it, those of the system")
    static let upstreamTLSCertFile = Setting<String?>(
        optional: "upstream-tls-cert-file", .filePath, help: "PEM file with the certificate to show to kv-service")
    static let upstreamTLSKeyFile = Setting<String?>(
        optional: "upstream-tls-key-file", .filePath, help: "PEM file with the private key of that certificate")
    public static let upstreamAccessKeyFile = Setting<String?>(
        optional: "upstream-access-key-file",
        .filePath,
        help: "File with the access key by which kv-service knows the gateway, if it has --access-keys-file"
    )
    public static let upstreamTimeout = Setting(
        "upstream-timeout",
        .duration(in: .milliseconds(1) ... .seconds(3600)),
        default: "3s",
        help: "Time limit of a request, including the wait for a connection, and retries"
    )
    public static let maxQueueTime = Setting(
        "max-queue-time",
        .duration(in: .milliseconds(1) ... .seconds(60)),
        default: "100ms",
        help: "Longest wait for kv-service while it is overloaded; requests that would wait longer are refused"
    )
    public static let rateLimit = Setting<Int?>(
        optional: "rate-limit",
        .integer(in: 1...1_000_000),
        help: "Requests that one client may send per second; further ones are refused with 429"
    )
    public static let rateLimitBurst = Setting<Int?>(
        optional: "rate-limit-burst",
        .integer(in: 1...1_000_000),
        help: "Requests that a client may send at once after a pause; by default, those of one second"
    )
    public static let maxKeyBytes = Setting(
        "max-key-bytes",
        .integer(in: 1...4096),
        default: "1024",
        help: "Maximum length of a key in bytes; the same as in kv-service"
    )
    public static let maxValueBytes = Setting(
        "max-value-bytes",
        .byteSize(in: 1...4 << 20),
        default: "65536",
        help: "Maximum length of a value in bytes; the same as in kv-service"
    )
    public static let maxWatchers = Setting(
        "max-watchers",
        .integer(in: 1...1_000_000),
        default: "1000",
        help: "Maximum number of watchers; each has its own connection to kv-service"
    )

    public static let table = SettingsTable(
        environmentPrefix: "GATEWAY_",
        settings: Self.common.list(
            with: [
                upstream, routesFile, upstreamTLSCAFile, upstreamTLSCertFile, upstreamTLSKeyFile, upstreamAccessKeyFile,
                upstreamTimeout, maxQueueTime, rateLimit, rateLimitBurst, maxKeyBytes, maxValueBytes, maxWatchers,
            ]),
        check: { Self.common.contradictions($0) + Self.contradictions($0) + Self.uselessBurst($0) }
    )

    /// The certificates for connections to the upstreams.
    static func upstreamCertificates(_ routes: [UpstreamRoute]) -> CertificateSource {
        // With a routes file, a reload may change which upstreams have TLS.
        let hasTLS = routes.contains(where: \.address.isSecure)
        return CertificateSource(
            name: "upstream", settings: [upstreamTLSCAFile.name, upstreamTLSCertFile.name, upstreamTLSKeyFile.name],
            files: { settings in
                guard settings[Self.routesFile] == nil ? settings[Self.upstream].isSecure : hasTLS else { return nil }
                return CertificateFiles(
                    certificate: settings[Self.upstreamTLSCertFile], privateKey: settings[Self.upstreamTLSKeyFile],
                    authorities: settings[Self.upstreamTLSCAFile])
            }, load: TLSContext.client)
    }

    private static func uselessBurst(_ settings: ResolvedSettings) -> [ConfigurationError] {
        guard settings[Self.rateLimit] == nil, settings[Self.rateLimitBurst] != nil else { return [] }
        return [settings.error(Self.rateLimitBurst, "it has no effect without --rate-limit")]
    }

    private static func contradictions(_ settings: ResolvedSettings) -> [ConfigurationError] {
        self.upstreamErrors(settings) + self.upstreamTLSErrors(settings)
    }

    /// The upstreams of a routes file are judged when it is read.
    private static func upstreamErrors(_ settings: ResolvedSettings) -> [ConfigurationError] {
        guard settings[Self.routesFile] == nil else {
            if settings.isDefault(Self.upstream) { return [] }
            return [settings.error(Self.routesFile, "names the upstreams, and --upstream is set too: leave one out")]
        }
        return self.refusal(of: settings[Self.upstream], settings).map { [settings.error(Self.upstream, $0)] } ?? []
    }

    private static func upstreamTLSErrors(_ settings: ResolvedSettings) -> [ConfigurationError] {
        let (certificate, key) = (settings[Self.upstreamTLSCertFile], settings[Self.upstreamTLSKeyFile])
        var errors: [ConfigurationError] = []
        if certificate != nil, key == nil {
            errors.append(
                settings.error(Self.upstreamTLSKeyFile, "is missing: --upstream-tls-cert-file needs the private key"))
        }
        if certificate == nil, key != nil {
            errors.append(
                settings.error(
                    Self.upstreamTLSCertFile, "is missing: --upstream-tls-key-file is the key of a certificate"))
        }
        return errors
    }

    /// What is wrong with an address of kv-service; nil if nothing is.
    static func refusal(of upstream: UpstreamAddress, _ settings: ResolvedSettings) -> String? {
        let own = [settings[Self.common.listen], settings[Self.common.adminListen]].compactMap { $0 }
        // A gateway with itself as upstream would forward each request to itself until its connections are used up.
        if own.contains(where: { $0 == upstream.address || $0.reachableFromThisHost == upstream.address }) {
            return "'\(upstream)' is the gateway's own listen address; give the URL of kv-service"
        }
        let tls = [Self.upstreamTLSCAFile, Self.upstreamTLSCertFile, Self.upstreamTLSKeyFile]
        if !upstream.isSecure, tls.contains(where: { settings[$0] != nil }) {
            return "'\(upstream)' is plain HTTP, and --upstream-tls-… is set: use https://"
        }
        return nil
    }
}
