import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("TLS", .timeLimit(.minutes(10)))
    struct TLSTests {
        @Test func `the gateway serves over TLS, and it alone reaches kv-service`() throws {
            let services = try SecureServices()
            let body = ["-H", "Content-Type: application/json", "-d", #"{"key":"a","value":"1"}"#]
            #expect(try services.curl(.apiGateway, "/api/set", body, certificate: .some(nil)).contains("value set"))
            #expect(
                try services.curl(.apiGateway, "/api/get?key=a", certificate: .some(nil)).contains(#""value":"1""#))
            // A larger value than a TLS record, and a watch, which has a connection of its own to kv-service.
            let large = services.folder.file("large")
            try FileText.write(String(repeating: "0123456789abcdef", count: 4_000), to: large)
            let raw = ["-H", "Content-Type: application/octet-stream", "-T", large]
            #expect(try services.curl(.apiGateway, "/api/set?key=large", raw).contains("value set"))
            #expect(
                try services.curl(.apiGateway, "/api/get?key=large", ["-H", "Accept: application/octet-stream"])
                    == FileText.text(large))
            #expect(
                try services.curl(.apiGateway, "/api/watch?mode=poll&since=0").contains(#""key":"a""#))

            #expect(try services.curl(.kvService, "/kv/get?key=a").contains(#""value":"1""#))
            let stranger = try TestAuthority("stranger", in: services.folder).issue("strange")
            for certificate in [nil, stranger] {
                // TLS 1.3 tells a client of its refusal only after its request was sent.
                #expect(
                    try services.curl(.kvService, "/kv/get?key=a", certificate: .some(certificate)).hasPrefix(
                        "exit code"))
            }
            for certificate in ["listener", "listener_authorities"] {
                let series = #"tls_certificate_expiry_timestamp_seconds{certificate="\#(certificate)"}"#
                #expect(try abs(services.metric(.kvService, series) - Double(time(nil)) - 30 * 86_400) < 600)
            }
            for (result, count) in [("no_certificate", 1.0), ("untrusted", 1)] {
                #expect(try services.metric(.kvService, #"http_tls_handshakes_total{result="\#(result)"}"#) == count)
            }
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        @Test func `nothing else than TLS 1.2 and 1.3 is spoken`() throws {
            let services = try SecureServices()
            for (arguments, isServed) in [
                (["--tlsv1.2", "--tls-max", "1.2"], true), (["--tlsv1.3"], true),
                (["--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"], false),
                (["--tls-max", "1.2", "--ciphers", "AES128-GCM-SHA256"], false),
                (["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-SHA"], false),
            ] {
                let answer = try services.curl(.apiGateway, "/livez", arguments)
                #expect(answer.contains("ok") == isServed, "\(arguments): \(answer)")
            }
            let plain = try HTTPConnection(port: services.gatewayPort)
            #expect(throws: (any Error).self) { try plain.request("GET", "/livez") }
            #expect(try services.metric(.apiGateway, #"http_tls_handshakes_total{result="plain_http"}"#) == 1)
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        @Test func `a gateway that does not trust kv-service says why, and forwards nothing`() throws {
            let services = try SecureServices()
            let stranger = try TestAuthority("stranger", in: services.folder)
            let other = try ServiceProcess(
                .apiGateway,
                [
                    "--listen", "127.0.0.1:0", "--upstream", "https://127.0.0.1:\(services.kvPort)",
                    "--upstream-tls-ca-file", stranger.certificate,
                ], output: services.folder.file("other.log"))
            let connection = try HTTPConnection(port: other.waitForPort())
            let answer = try connection.request("GET", "/api/get?key=a")
            #expect(answer.status == 502)
            #expect(try answer.json.string("code") == "upstream_unreachable")
            #expect(answer.text.contains("not of a trusted authority"), "\(answer.text)")
            #expect(try other.stop() == .exited(0))
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        @Test func `kvctl and kvtop connect with certificates, and say what is wrong without`() throws {
            let services = try SecureServices()
            let trust = ["--tls-ca-file", services.authority.certificate]
            let shown = [
                "--tls-cert-file", services.kvCertificate.certificate, "--tls-key-file", services.kvCertificate.key,
            ]
            func kvctl(_ front: Front, _ arguments: [String]) throws -> (ending: Ending, output: String) {
                try Tool.run(
                    Programs.path("kvctl"),
                    arguments.prefix(1) + ["--server", "https://localhost:\(services.port(front))"]
                        + arguments.dropFirst(),
                    in: services.folder)
            }
            #expect(try kvctl(.apiGateway, ["set"] + trust + ["a", "1"]).ending == .exited(0))
            #expect(try kvctl(.kvService, ["get"] + trust + shown + ["a"]) == (.exited(0), "1"))
            let untrusting = try kvctl(.apiGateway, ["get", "a"])
            #expect(untrusting.ending == .exited(6))
            #expect(untrusting.output.contains("not of a trusted authority"), "\(untrusting.output)")
            let anonymous = try kvctl(.kvService, ["get"] + trust + ["a"])
            #expect(anonymous.ending == .exited(6))
            #expect(anonymous.output.contains("requires a certificate of its clients"), "\(anonymous.output)")
            let missing = try kvctl(.kvService, ["get", "--tls-ca-file", services.folder.file("no"), "a"])
            #expect(missing.ending == .exited(1))
            #expect(missing.output.contains("cannot be opened: No such file"), "\(missing.output)")
            let (ending, screen) = try Tool.run(
                Programs.path("kvtop"),
                [
                    "--once", "--kv", "https://127.0.0.1:\(services.kvPort)", "--gateway",
                    "https://127.0.0.1:\(services.gatewayPort)",
                ] + trust + shown, in: services.folder)
            #expect(ending == .exited(0))
            #expect(screen.contains("kv UP  gw UP"), "\(screen)")
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        @Test func `healthcheck works over TLS, also where clients need certificates`() throws {
            let services = try SecureServices()
            let (ending, output) = try Tool.run(
                Programs.path("kv-service"),
                [
                    "healthcheck", "--listen", "127.0.0.1:\(services.kvPort)", "--tls-cert-file",
                    services.kvCertificate.certificate, "--tls-key-file", services.kvCertificate.key,
                ], in: services.folder)
            #expect(ending == .exited(0), "\(output)")
            #expect(output.contains("ready: https://"), "\(output)")
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        @Test(arguments: [
            ([], "there is no TLS (--tls-cert-file, --tls-key-file) and no check of who the client is"),
            (["tls"], "there is no check of who the client is (--access-keys-file or --tls-client-ca-file)"),
        ])
        func `a service does not listen beyond this host unprotected, unless it is told to`(
            protection: [String], missing: String
        ) throws {
            let folder = TemporaryFolder()
            let authority = try TestAuthority(in: folder)
            let certificate = try authority.issue("a")
            let tls = ["--tls-cert-file", certificate.certificate, "--tls-key-file", certificate.key]
            let arguments = (protection.isEmpty ? [] : tls) + ["--listen", "0.0.0.0:0"]
            for program in ["kv-service", "api-gateway"] {
                for command in ["serve", "check-config"] {
                    let (ending, output) = try Tool.run(Programs.path(program), [command] + arguments, in: folder)
                    #expect(ending == .exited(78))
                    #expect(output.contains("0.0.0.0:0 can be reached from other hosts"), "\(output)")
                    #expect(
                        output.contains(
                            missing.replacing("and a check", with: protection.isEmpty ? "and a check" : "a check")),
                        "\(output)")
                }
            }
            for (name, allowed) in [
                ("insecure", arguments + ["--insecure-remote-access", "true"]),
                ("mutual", tls + ["--listen", "0.0.0.0:0", "--tls-client-ca-file", authority.certificate]),
            ] {
                let kv = try ServiceProcess(
                    .kvService, allowed + ["--data-dir", folder.file("kv")], output: folder.file("\(name).log"))
                try kv.waitForLog("ready")
                #expect(try kv.stop() == .exited(0), "\(name): \(kv.child.output)")
            }
        }
    }
}
