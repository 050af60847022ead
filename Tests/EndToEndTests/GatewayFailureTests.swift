import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("The gateway without kv-service", .timeLimit(.minutes(10)))
    struct GatewayFailureTests {
        @Test func `an upstream that is down is 502 with applied no, and the gateway recovers by itself`() throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: .apiGateway)
            #expect(try client.set([1], [1]).status == 200)
            #expect(try services.kv.stop() == .exited(0))

            let write = try client.set([1], [2])
            #expect(write.status == 502 || write.status == 503, "\(write.text)")
            #expect(write["Content-Type"] == "application/problem+json")
            #expect(try write.json.string("applied") == "no", "\(write.text)")
            let read = try client.get([1])
            #expect(read.status == 502 || read.status == 503, "\(read.text)")
            #expect(try read.json.string("applied") == nil)
            #expect(try client.connection.request("GET", "/livez").status == 200)

            let again = try Services.startKV(in: services.folder, listen: "127.0.0.1:\(services.kvPort)")
            try again.waitUntilReady(port: try again.waitForPort())
            let value = try Poll.until("the gateway reaches kv-service again") {
                let answer = try client.getRaw([1])
                return answer.status == 200 ? answer.body : nil
            }
            #expect(value == [1])
        }

        @Test func `an upstream that does not answer is 504 at the deadline, with applied unknown`() throws {
            let services = try Services(gatewayArguments: ["--upstream-timeout", "500ms"])
            let client = try KeyValueClient(services, through: .apiGateway)
            #expect(try client.set([1], [1]).status == 200)
            try services.kv.child.pause()
            defer { services.kv.child.signal(SIGCONT) }
            let started = ContinuousClock.now
            let write = try client.set([1], [2])
            let took = ContinuousClock.now - started
            #expect(write.status == 504, "\(write.text)")
            #expect(try write.json.string("applied") == "unknown")
            #expect(took >= .milliseconds(400) && took < .seconds(5), "\(took)")
            let read = try client.get([1])
            #expect(read.status == 504 || read.status == 503, "\(read.text)")
            #expect(try client.connection.request("GET", "/health").status == 200)
            services.kv.child.signal(SIGCONT)
            let value = try Poll.until("the gateway reaches kv-service again") {
                let answer = try client.getRaw([1])
                return answer.status == 200 ? answer.body : nil
            }
            // kv-service read the write from its socket after its deadline.
            #expect(value == [1])
        }

        @Test func `an upstream that is no kv-service is 502, never a missing key`() throws {
            // A gateway in front of a gateway: its 404 for /kv/get does not mean a missing key.
            let inner = try Services()
            let outer = try Services.startGateway(in: inner.folder, upstreamPort: inner.gatewayPort)
            let client = try KeyValueClient(port: try outer.waitForPort(), through: .apiGateway)
            // Probes may have opened the circuit; then one request is let through each second.
            let read = try Poll.until("a read reaches the other gateway") {
                let answer = try client.get([1])
                return try answer.json.string("code") == "circuit_open" ? nil : answer
            }
            #expect(read.status == 502, "\(read.text)")
            #expect(try read.json.string("code") != "key_not_found")
            // 503 if probes have opened the circuit meanwhile.
            #expect([502, 503].contains(try client.set([1], [1]).status))
            let warning = try outer.waitForLog("kv-service is unreachable")
            #expect(warning.string("detail") == "another service: api-gateway")
            let readiness = try client.connection.request("GET", "/readyz")
            #expect(readiness.status == 503)
            #expect(readiness.text.contains(#"{"name":"upstream_reachable","status":"failing""#), "\(readiness.text)")
        }

        @Test func `an upstream whose connections are all taken is 503, and the write was surely not applied`() throws {
            let inner = try Services(kvArguments: ["--max-connections", "2"], withGateway: false)
            var held: [HTTPConnection] = []
            held = try Poll.until("both connections are taken") {
                let connections = try [HTTPConnection(port: inner.kvPort), HTTPConnection(port: inner.kvPort)]
                let statuses = try connections.map { try $0.request("GET", "/livez").status }
                return statuses == [200, 200] ? connections : nil
            }
            let gateway = try Services.startGateway(in: inner.folder, upstreamPort: inner.kvPort)
            let client = try KeyValueClient(port: try gateway.waitForPort(), through: .apiGateway)
            let write = try client.set([1], [1])
            #expect(write.status == 503, "\(write.text)")
            #expect(try write.json.string("code") == "too_many_connections")
            #expect(try write.json.string("applied") == "no")
            #expect(write["Retry-After"] == "1")
            held.removeAll()
            _ = try Poll.until("a connection is free") { try client.set([1], [1]).status == 200 ? true : nil }
            #expect(try client.getRaw([1]).body == [1])
        }

        @Test func `the gateway reaches kv-service without any privileges, as in a container`() throws {
            let kv = try Services(withGateway: false)
            // Without root there are no privileges to drop.
            let wrapper = geteuid() == 0 ? ["/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all"] : []
            let gateway = try ServiceProcess(
                .apiGateway,
                ["--listen", "127.0.0.1:0", "--upstream", "http://localhost:\(kv.kvPort)"],
                output: kv.folder.file("api-gateway.log"),
                wrapper: wrapper
            )
            let port = try gateway.waitForPort()
            try gateway.waitUntilReady(port: port)
            #expect(try KeyValueClient(port: port, through: .apiGateway).set([1], [1]).status == 200)
            #expect(try FileText.text("/proc/\(gateway.child.pid)/status").contains("CapEff:\t0000000000000000\n"))
        }
    }
}
