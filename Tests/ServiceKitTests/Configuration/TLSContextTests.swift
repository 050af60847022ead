import Glibc
import TestSupport
import Testing

@testable import TransportSecurity

@Suite("Certificates", .timeLimit(.minutes(1)))
struct TLSContextTests {
    private let folder = TemporaryFolder()

    @Test func `that are good have the earliest expiry of their chain`() throws {
        let authority = try TestAuthority(in: self.folder)
        let issued = try authority.issue("a", days: 10)
        let chain = self.folder.file("chain.pem")
        try FileText.write(FileText.text(issued.certificate) + FileText.text(authority.certificate), to: chain)
        let now = Int(time(nil))
        let server = try TLSContext.server(
            CertificateFiles(certificate: chain, privateKey: issued.key, authorities: authority.certificate))
        #expect(abs((server.expirySeconds ?? 0) - now - 10 * 86_400) < 120)
        #expect(abs((server.authoritiesExpirySeconds ?? 0) - now - 30 * 86_400) < 120)
        let client = try TLSContext.client(CertificateFiles())
        #expect(client.expirySeconds == nil && client.authoritiesExpirySeconds == nil)
    }

    @Test func `that are of no use are refused with what is wrong`() throws {
        let authority = try TestAuthority(in: self.folder)
        let (good, other) = try (authority.issue("good"), authority.issue("other"))
        let nonsense = self.folder.file("nonsense")
        try FileText.write("nonsense", to: nonsense)
        let readable = self.folder.file("readable.key")
        try FileText.write(FileText.text(good.key), to: readable)
        #expect(chmod(readable, 0o644) == 0)
        let encrypted = self.folder.file("encrypted.key")
        try TestAuthority.openssl(
            ["pkcs8", "-topk8", "-in", good.key, "-out", encrypted, "-passout", "pass:secret"], in: self.folder)
        #expect(chmod(encrypted, 0o600) == 0)
        chmod(nonsense, 0o600)
        let cases: [(CertificateFiles, String)] = [
            (.init(certificate: self.folder.file("no"), privateKey: good.key), "no: cannot be opened: No such file"),
            (
                .init(certificate: good.certificate, privateKey: self.folder.file("no")),
                "no: cannot be opened: No such file"
            ),
            (.init(certificate: nonsense, privateKey: good.key), "nonsense: contains no certificates in PEM form"),
            (
                .init(certificate: good.certificate, privateKey: nonsense),
                "nonsense: contains no private key in PEM form"
            ),
            (.init(certificate: good.key, privateKey: good.key), "good.key: contains no certificates in PEM form"),
            (
                .init(certificate: good.certificate, privateKey: readable),
                "can be read by every user of this host (mode 0644)"
            ),
            (.init(certificate: good.certificate, privateKey: encrypted), "encrypted.key: is encrypted"),
            (
                .init(certificate: good.certificate, privateKey: other.key),
                "other.key: is not the private key of the certificate in"
            ),
            (
                .init(certificate: good.certificate, privateKey: good.key, authorities: nonsense),
                "nonsense: contains no certificates in PEM form"
            ),
        ]
        for (files, reason) in cases {
            let error = #expect(throws: CertificateError.self) { try TLSContext.server(files) }
            let text = "\(try #require(error))"
            #expect(text.contains(reason), "\(text)")
        }
    }
}
