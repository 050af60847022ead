import Glibc
import NIOSSL
import ServiceSettings
import SystemSupport

/// Reads certificates and keys; blocks. Each file is read once, so that what was checked is what is used.
enum PEMFile {
    /// No chain of certificates, nor a bundle of all public authorities, is nearly as large.
    private static let limitBytes = 4 << 20

    /// - Returns: at least one.
    static func certificates(_ path: String) throws(CertificateError) -> [NIOSSLCertificate] {
        let bytes = try self.read(path)
        let certificates: [NIOSSLCertificate]
        do { certificates = try NIOSSLCertificate.fromPEMBytes(bytes) } catch {
            throw CertificateError(path: path, reason: "contains no certificates in PEM form")
        }
        guard !certificates.isEmpty else {
            throw CertificateError(path: path, reason: "contains no certificates in PEM form")
        }
        return certificates
    }

    /// A key that others may read is refused: whoever has it is this service.
    static func privateKey(_ path: String) throws(CertificateError) -> NIOSSLPrivateKey {
        try self.checkMode(path)
        let bytes = try self.read(path)
        do { return try NIOSSLPrivateKey(bytes: bytes, format: .pem) } catch {
            let text = String(decoding: bytes, as: UTF8.self)
            let isEncrypted = text.contains("ENCRYPTED")
            throw CertificateError(
                path: path,
                reason: isEncrypted
                    ? "is encrypted; the service needs a key without a passphrase"
                    : "contains no private key in PEM form")
        }
    }

    private static func read(_ path: String) throws(CertificateError) -> [UInt8] {
        do { return try OperatorFile.read(path, limitBytes: self.limitBytes) } catch {
            throw CertificateError(path: path, reason: error.description)
        }
    }

    private static func checkMode(_ path: String) throws(CertificateError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            throw CertificateError(path: path, reason: "cannot be opened: \(ErrorNumber.text(errno))")
        }
        guard status.st_mode & 0o007 == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            throw CertificateError(
                path: path, reason: "can be read by every user of this host (mode 0\(mode)); use chmod 0600, or 0640")
        }
    }
}
