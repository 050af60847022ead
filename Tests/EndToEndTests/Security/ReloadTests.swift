import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Reloads", .timeLimit(.minutes(10)))
    struct ReloadTests {
        @Test(arguments: Front.allCases)
        func `of a certificate when its files change, or not at all`(front: Front) throws {
            let services = try SecureServices()
            let name = front == .kvService ? "kv-service" : "api-gateway"
            let first = try services.serial(front)
            _ = try services.authority.issue(name)
            let second = try Poll.until("another certificate") {
                let serial = try services.serial(front)
                return serial == first ? nil : serial
            }
            let events = try services.curl(front, "/admin/events")
            #expect(
                events.contains(#""kind":"config_reloaded""#) && events.contains(#""trigger":"files""#), "\(events)")

            // A key that does not fit: both the certificate and the key stay.
            let key = front == .kvService ? services.kvCertificate.key : services.gatewayCertificate.key
            let good = try FileText.text(key)
            let other = try services.authority.issue("other")
            try FileText.write(FileText.text(other.key), to: key)
            try services.process(front).waitForLog("configuration not reloaded: everything stays as it was")
            #expect(try services.metric(front, "config_last_reload_successful") == 0)
            let document = try services.curl(front, "/admin/config")
            #expect(document.contains("is not the private key of the certificate in"), "\(document)")
            #expect(try services.serial(front) == second)

            try FileText.write(good, to: key)
            _ = try Poll.until("the reload has succeeded") {
                try services.metric(front, "config_last_reload_successful") == 1 ? true : nil
            }
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        @Test func `of the configuration file on SIGHUP`() throws {
            let folder = TemporaryFolder()
            let file = folder.file("config.json")
            try FileText.write(#"{"log-level":"info","max-connections":100}"#, to: file)
            let kv = try Services.startKV(in: folder, ["--config", file])
            let connection = try HTTPConnection(port: kv.waitForPort())
            func level() throws -> String? {
                try connection.request("GET", "/admin/log-level").json.string("level")
            }
            try kv.waitUntilReady(port: kv.waitForPort())
            #expect(try level() == "info")
            try FileText.write(#"{"log-level":"debug","max-connections":200}"#, to: file)
            kv.child.signal(SIGHUP)
            let line = try kv.waitForLog("configuration reloaded")
            #expect(line.string("changed") == "log-level")
            #expect(line.string("needs_restart") == "max-connections")
            #expect(try level() == "debug")
            let settings = try connection.request("GET", "/admin/config").json
            #expect(
                settings.objects("settings").first { $0.string("name") == "max-connections" }?.string("value") == "100")

            try FileText.write(#"{"log-level":"loud"}"#, to: file)
            kv.child.signal(SIGHUP)
            let refusal = try kv.waitForLog("configuration not reloaded: everything stays as it was")
            #expect(refusal.string("error")?.contains("'loud' is not one of") == true)
            #expect(try level() == "debug")
            #expect(try kv.stop() == .exited(0))
        }

        @Test func `of the token for actions when its file changes`() throws {
            let folder = TemporaryFolder()
            let file = folder.file("token")
            let tokens = ["first-token-of-16", "second-token-of-16"]
            try FileText.write(tokens[0], to: file)
            let kv = try Services.startKV(in: folder, ["--admin-token-file", file])
            let connection = try HTTPConnection(port: kv.waitForPort())
            func statuses() throws -> [Int] {
                try tokens.map {
                    try connection.request(
                        "POST", "/admin/read-only",
                        headers: [("Authorization", "Bearer \($0)"), ("Content-Type", "application/json")],
                        body: Array(#"{"enabled":false}"#.utf8)
                    ).status
                }
            }
            #expect(try statuses() == [200, 401])
            try FileText.write(tokens[1], to: file)
            try kv.waitForLog("configuration reloaded")
            #expect(try statuses() == [401, 200])
            try FileText.write("short", to: file)
            let refusal = try kv.waitForLog("configuration not reloaded: everything stays as it was")
            #expect(refusal.string("error")?.contains("a token is one line of 16 to 1024") == true)
            #expect(try statuses() == [401, 200])
            #expect(try kv.stop() == .exited(0))
        }

        @Test func `of the rate limit on SIGHUP`() throws {
            let folder = TemporaryFolder()
            let file = folder.file("config.json")
            try FileText.write(#"{"rate-limit":1}"#, to: file)
            let services = try Services(gatewayArguments: ["--config", file])
            let gateway = try #require(services.gateway)
            let connection = try HTTPConnection(port: services.gatewayPort)
            func status() throws -> Int { try connection.request("GET", "/api/keys?limit=1").status }
            _ = try Poll.until("the limit is reached") { try status() == 429 ? true : nil }
            try FileText.write(#"{"rate-limit":1000000}"#, to: file)
            gateway.child.signal(SIGHUP)
            try gateway.waitForLog("configuration reloaded")
            for _ in 0..<100 { #expect(try status() == 200) }
            try FileText.write("{}", to: file)
            gateway.child.signal(SIGHUP)
            _ = try Poll.until("there is no limit") {
                gateway.log.count { $0.string("message") == "configuration reloaded" } == 2 ? true : nil
            }
            for _ in 0..<100 { #expect(try status() == 200) }
        }
    }
}
