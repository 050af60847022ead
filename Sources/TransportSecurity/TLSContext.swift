import NIOCore
public import NIOSSL

/// What connections are made with: certificates that were read and found to fit together. Immutable.
public struct TLSContext: Sendable {
    let context: NIOSSLContext
    private let configuration: TLSConfiguration
    /// Wall clock, seconds since 1970, when the first certificate of ours in the chain expires; nil without a certificate.
    public let expirySeconds: Int?
    /// Likewise of the authorities, the first one; nil for those of the system.
    public let authoritiesExpirySeconds: Int?

    /// Elliptic-curve key exchange and authenticated encryption: what is left of TLS 1.2 without known weaknesses. Those
    /// of TLS 1.3 are not configurable.
    private static let cipherSuites: [NIOTLSCipher] = [
        .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]
    /// How long an ending connection waits for the peer's goodbye.
    private static let shutdownTimeout = TimeAmount.seconds(1)

    /// The side that accepts connections. With authorities, a client without a certificate of theirs gets no connection.
    ///
    /// - Parameter files: with a certificate and its key.
    public static func server(_ files: CertificateFiles) throws(CertificateError) -> TLSContext {
        guard let certificate = files.certificate, let key = files.privateKey else {
            preconditionFailure("a server needs a certificate and its key")
        }
        let chain = try PEMFile.certificates(certificate)
        let privateKey = try PEMFile.privateKey(key)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        let authorities = try files.authorities.map(PEMFile.certificates)
        if let authorities {
            configuration.trustRoots = .certificates(authorities)
            configuration.certificateVerification = .noHostnameVerification
            configuration.sendCANameList = true
        }
        configuration.applicationProtocols = ["http/1.1"]
        return try Self(configuration, chain, authorities, files)
    }

    /// What a library needs that makes the contexts of its connections itself, as for ``client(_:)``. Blocks.
    public static func clientConfiguration(_ files: CertificateFiles) throws(CertificateError) -> TLSConfiguration {
        try self.client(files).configuration
    }

    /// The side that connects. It checks that the peer's certificate is of one of the authorities and names the host.
    public static func client(_ files: CertificateFiles) throws(CertificateError) -> TLSContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        let authorities = try files.authorities.map(PEMFile.certificates)
        if let authorities { configuration.trustRoots = .certificates(authorities) }
        var chain: [NIOSSLCertificate] = []
        if let certificate = files.certificate, let key = files.privateKey {
            chain = try PEMFile.certificates(certificate)
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(try PEMFile.privateKey(key))
        }
        return try Self(configuration, chain, authorities, files)
    }

    /// For the health check of a service on this host: it accepts the service's own certificate whatever name it has,
    /// because the connection never leaves the host, and shows it too, in case clients must have one.
    public static func toItself(_ files: CertificateFiles) throws(CertificateError) -> TLSContext {
        guard let certificate = files.certificate, let key = files.privateKey else {
            preconditionFailure("a server has a certificate and its key")
        }
        var configuration = TLSConfiguration.makeClientConfiguration()
        let chain = try PEMFile.certificates(certificate)
        configuration.certificateVerification = .none
        configuration.certificateChain = chain.map { .certificate($0) }
        configuration.privateKey = .privateKey(try PEMFile.privateKey(key))
        return try Self(configuration, chain, nil, files)
    }

    private init(
        _ configuration: TLSConfiguration, _ chain: [NIOSSLCertificate], _ authorities: [NIOSSLCertificate]?,
        _ files: CertificateFiles
    ) throws(CertificateError) {
        var configuration = configuration
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuiteValues = Self.cipherSuites
        configuration.shutdownTimeout = Self.shutdownTimeout
        configuration.renegotiationSupport = .none
        do { self.context = try NIOSSLContext(configuration: configuration) } catch {
            let path = files.privateKey ?? files.authorities ?? "TLS"
            throw CertificateError(
                path: path,
                reason: files.certificate.map { "is not the private key of the certificate in \($0)" }
                    ?? "cannot be used: \(error)")
        }
        self.configuration = configuration
        self.expirySeconds = chain.map { Int($0.notValidAfter) }.min()
        self.authoritiesExpirySeconds = authorities?.map { Int($0.notValidAfter) }.min()
    }
}
