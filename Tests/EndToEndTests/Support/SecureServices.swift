import Glibc
import TestSupport

/// kv-service and api-gateway with TLS on every listener, and a certificate of each for the other.
final class SecureServices: Sendable {
    let folder = TemporaryFolder()
    let authority: TestAuthority
    let kvCertificate: TestAuthority.Certificate
    let gatewayCertificate: TestAuthority.Certificate
    private let clientCertificate: TestAuthority.Certificate
    let kv: ServiceProcess
    let kvPort: UInt16
    let gateway: ServiceProcess
    let gatewayPort: UInt16

    /// Starts both and waits until they are ready.
    init(kvArguments: [String] = [], gatewayArguments: [String] = []) throws {
        let authority = try TestAuthority(in: self.folder)
        let (kvCertificate, gatewayCertificate) = try (authority.issue("kv-service"), authority.issue("api-gateway"))
        self.authority = authority
        self.clientCertificate = try authority.issue("client")
        self.kvCertificate = kvCertificate
        self.gatewayCertificate = gatewayCertificate
        self.kv = try Services.startKV(
            in: self.folder,
            Self.listener(kvCertificate) + ["--tls-client-ca-file", authority.certificate] + kvArguments)
        self.kvPort = try self.kv.waitForPort()
        self.gateway = try ServiceProcess(
            .apiGateway,
            ["--listen", "127.0.0.1:0", "--upstream", "https://127.0.0.1:\(self.kvPort)"]
                + Self.listener(gatewayCertificate)
                + [
                    "--upstream-tls-ca-file", authority.certificate, "--upstream-tls-cert-file",
                    gatewayCertificate.certificate, "--upstream-tls-key-file", gatewayCertificate.key,
                ] + gatewayArguments,
            output: self.folder.file("api-gateway.log"))
        self.gatewayPort = try self.gateway.waitForPort()
        _ = try Poll.until("the gateway is ready") {
            try self.curl(.apiGateway, "/readyz").contains("\"state\":\"ready\"") ? true : nil
        }
    }

    private static func listener(_ certificate: TestAuthority.Certificate) -> [String] {
        ["--tls-cert-file", certificate.certificate, "--tls-key-file", certificate.key]
    }

    func port(_ front: Front) -> UInt16 { front == .kvService ? self.kvPort : self.gatewayPort }

    func process(_ front: Front) -> ServiceProcess { front == .kvService ? self.kv : self.gateway }

    /// What curl has written, and its exit code behind it if that is not 0. With a certificate of the authority, unless
    /// `certificate` is another one, or nil.
    func curl(
        _ front: Front, _ path: String, _ arguments: [String] = [], certificate: TestAuthority.Certificate?? = .none
    ) throws -> String {
        let shown = certificate ?? self.clientCertificate
        let (ending, output) = try Tool.run(
            "/usr/bin/curl",
            ["-s", "-m", "10", "--cacert", self.authority.certificate]
                + (shown.map { ["--cert", $0.certificate, "--key", $0.key] } ?? [])
                + arguments + ["https://127.0.0.1:\(self.port(front))\(path)"], in: self.folder)
        return ending == .exited(0) ? output : "\(output)\(ending)"
    }

    /// A series of `/metrics`; 0 if it is not there.
    func metric(_ front: Front, _ series: String) throws -> Double {
        let line = try self.curl(front, "/metrics").split(separator: "\n").first { $0.hasPrefix("\(series) ") }
        return line.flatMap { Double($0.dropFirst(series.count + 1)) } ?? 0
    }

    /// The serial number of the certificate that a service shows to new connections.
    func serial(_ front: Front) throws -> String {
        let text = try self.curl(front, "/livez", ["-o", "/dev/null", "-w", "%{certs}"])
        return text.split(separator: "\n").first { $0.hasPrefix("Serial") }.map(String.init) ?? "none in \(text)"
    }

    func stop() throws -> [Ending] { try [self.gateway.stop(), self.kv.stop()] }
}
