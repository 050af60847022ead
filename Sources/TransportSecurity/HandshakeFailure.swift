import NIOSSL
import NIOTLS

/// Why a TLS handshake failed. With TLS 1.3 a client may learn only after its first request that its certificate was
/// refused, or that it has to show one.
public struct HandshakeFailure: Error, Sendable, CustomStringConvertible {
    /// What operators meet.
    public enum Kind: String, Sendable, CaseIterable {
        /// The peer's certificate has no trusted authority, has expired, or is of another host.
        case untrusted
        /// The peer showed no certificate, and has to.
        case noCertificate = "no_certificate"
        /// The peer refused the certificate shown to it.
        case refused
        case plainHTTP = "plain_http"
        case notTLS = "not_tls"
        /// Only versions before 1.2.
        case version
        case cipher
        /// The peer closed the connection before the end of the handshake.
        case closed
        case other
    }

    public let kind: Kind
    /// For a person.
    public let description: String

    /// Nil if an error of a channel is not of a handshake.
    public init?(_ error: any Error) {
        if case .sslError(let stack)? = error as? BoringSSLError {
            let text = stack.first.map { "\($0)" } ?? "unknown"
            guard let known = Self.known.first(where: { text.contains($0.name) && $0.kind == .refused }) else {
                return nil
            }
            (self.kind, self.description) = (known.kind, known.words)
            return
        }
        switch error as? NIOSSLError {
        case .handshakeFailed(.sslError(let stack))?:
            let text = stack.first.map { "\($0)" } ?? "unknown"
            guard let known = Self.known.first(where: { text.contains($0.name) }) else {
                (self.kind, self.description) = (.other, text)
                return
            }
            (self.kind, self.description) = (known.kind, known.words)
        case .handshakeFailed(let other)?: (self.kind, self.description) = (.other, "\(other)")
        case .unableToValidateCertificate?:
            (self.kind, self.description) = (.untrusted, "the peer's certificate does not name this host")
        default: return nil
        }
    }

    /// Parts of the library's texts. The names are those of BoringSSL's reasons and alerts.
    private static let known: [(name: String, kind: Kind, words: String)] = [
        (
            "CERTIFICATE_VERIFY_FAILED", .untrusted,
            "the peer's certificate is not of a trusted authority, or has expired"
        ),
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", .noCertificate, "the peer showed no certificate"),
        ("HTTP_REQUEST", .plainHTTP, "the peer spoke plain HTTP"),
        ("HTTPS_PROXY_REQUEST", .plainHTTP, "the peer spoke plain HTTP"),
        ("WRONG_VERSION_NUMBER", .notTLS, "the peer does not speak TLS"),
        ("UNSUPPORTED_PROTOCOL", .version, "the peer offers only versions of TLS before 1.2"),
        ("NO_SHARED_CIPHER", .cipher, "the peer offers no accepted cipher suite"),
        ("CERTIFICATE_REQUIRED", .refused, "the peer requires a certificate of its clients"),
        ("ALERT_UNKNOWN_CA", .refused, "the peer does not trust the authority of the certificate shown to it"),
        ("ALERT_CERTIFICATE_UNKNOWN", .refused, "the peer refused the certificate shown to it"),
        ("ALERT_CERTIFICATE_EXPIRED", .refused, "the peer says that the certificate shown to it has expired"),
        ("ALERT_BAD_CERTIFICATE", .refused, "the peer refused the certificate shown to it"),
        ("EOF during handshake", .closed, "the peer closed the connection during the handshake"),
    ]
}

/// What the errors and events of a channel say about TLS.
public enum TLSSignal {
    /// Whether the peer ended the connection without saying so first. HTTP says by itself where an answer or a request
    /// ends, so nothing is lost by that.
    public static func isMissingGoodbye(_ error: any Error) -> Bool { error as? NIOSSLError == .uncleanShutdown }

    /// Whether a connection can be used from now on.
    public static func isHandshakeCompleted(_ event: Any) -> Bool {
        if case .handshakeCompleted? = event as? TLSUserEvent { true } else { false }
    }
}
