/// The files of one side of TLS connections. Paths as the operator gave them.
public struct CertificateFiles: Sendable, Equatable {
    /// PEM: the certificate, then those between it and its authority. Nil for a client that shows none.
    public var certificate: String?
    /// PEM: the private key of the certificate, not encrypted.
    public var privateKey: String?
    /// PEM: the authorities of which the peer's certificate must be. Nil: a server asks its clients for no certificate; a
    /// client trusts the authorities of the system.
    public var authorities: String?

    public init(certificate: String? = nil, privateKey: String? = nil, authorities: String? = nil) {
        self.certificate = certificate
        self.privateKey = privateKey
        self.authorities = authorities
    }

    /// All paths that are set.
    public var paths: [String] { [self.certificate, self.privateKey, self.authorities].compactMap { $0 } }
}

/// Why files are of no use for TLS: the path and a text for the operator. It contains nothing of a private key.
public struct CertificateError: Error, Equatable, CustomStringConvertible {
    public let path: String
    public let reason: String

    public var description: String { "\(self.path): \(self.reason)" }
}
