import TestSupport
import Testing

extension InProcess {
    @Suite("The documents and actions below /admin, and the readiness", .timeLimit(.minutes(1)))
    struct DocumentTests {
        private let connection: HTTPConnection
        private let client: KeyValueClient

        init() throws {
            self.connection = try HTTPConnection(port: ServiceInProcess.port)
            self.client = try KeyValueClient(port: ServiceInProcess.port, through: .kvService)
        }

        private func admin() throws -> JSONObject { try self.connection.request("GET", "/admin").json }

        private func post(_ path: String, _ body: String) throws -> HTTPAnswer {
            try self.connection.request(
                "POST", path, headers: [("Content-Type", "application/json")], body: Array(body.utf8))
        }

        @Test func `readyz is ok with each check by name`() throws {
            let answer = try self.connection.request("GET", "/readyz")
            #expect(answer.status == 200)
            let document = try answer.json
            #expect(document.string("service") == "kv-service" && document.string("state") == "ready")
            let names = document.objects("checks").compactMap { $0.string("name") }
            #expect(names.contains("log_writable") && names.contains("disk_space"), "\(names)")
            #expect(try self.connection.request("GET", "/livez").status == 200)
        }

        @Test func `admin counts the keys and has the log, the compaction and the settings in force`() throws {
            let before = try self.admin().object("store").integer("keys") ?? -1
            #expect(try self.client.set(Array("counted".utf8), [1]).status == 200)
            let document = try self.admin()
            #expect(document.object("store").integer("keys") == before + 1)
            #expect(document.object("store").integer("max_key_bytes") == ServiceInProcess.maxKeyBytes)
            #expect(document.object("log").string("state") == "ok")
            #expect(document.object("log").string("fsync_policy") == "always")
            #expect(document.object("log").objects("segments").last?.bool("sealed") == false)
            #expect(document.object("compaction").string("state") == "idle")
            let configuration = try self.connection.request("GET", "/admin/config")
            #expect(configuration.text.contains("\"max-value-bytes\""))
            #expect(try self.connection.request("GET", "/admin?unknown=1").status == 400)
        }

        @Test func `read-only refuses writes and nothing else until it is switched off`() throws {
            #expect(try self.client.set(Array("before".utf8), [1]).status == 200)
            #expect(try self.post("/admin/read-only", #"{"enabled":true,"reason":"a test"}"#).status == 200)
            let refused = try self.client.set(Array("meanwhile".utf8), [1])
            #expect(try refused.status == 503 && refused.json.string("code") == "read_only", "\(refused.text)")
            #expect(try refused.json.string("applied") == "no")
            #expect(try self.client.delete(Array("before".utf8)).status == 503)
            #expect(try self.client.getRaw(Array("before".utf8)).body == [1])
            #expect(try self.admin().object("read_only").string("reason") == "a test")
            #expect(try self.post("/admin/read-only", #"{"enabled":false}"#).status == 200)
            #expect(try self.client.set(Array("meanwhile".utf8), [1]).status == 200)
        }

        @Test func `drain takes the service out of readiness, and requests are still served`() throws {
            #expect(try self.post("/admin/drain", #"{"enabled":true,"reason":"a test"}"#).status == 200)
            let readiness = try self.connection.request("GET", "/readyz")
            #expect(readiness.status == 503, "\(readiness.text)")
            #expect(try self.client.set(Array("drained".utf8), [1]).status == 200)
            #expect(try self.post("/admin/drain", #"{"enabled":false}"#).status == 200)
            #expect(try self.connection.request("GET", "/readyz").status == 200)
        }

        @Test func `a compaction on request is accepted with its number, and its result is in admin and the events`()
            throws
        {
            for number in 0..<50 { #expect(try self.client.set([1], [UInt8(number)]).status == 200) }
            let answer = try self.connection.request("POST", "/admin/compact", body: [])
            #expect(try answer.status == 202 && answer.json.string("status") == "accepted", "\(answer.text)")
            let number = try #require(try answer.json.integer("run_id"))
            let last = try Poll.until("compaction \(number) has ended") {
                let last = try self.admin().object("compaction").object("last")
                return last.integer("id") == number ? last : nil
            }
            #expect(last.string("result") == "ok" && last.string("trigger") == "admin", "\(last.members)")
            #expect(last.integer("keys_dropped") ?? 0 >= 49 && last.integer("keys_kept") ?? 0 > 0, "\(last.members)")
            let events = try self.connection.request("GET", "/admin/events").json.objects("events")
            #expect(events.contains { $0.string("kind") == "compaction_ended" })
            #expect(try self.client.getRaw([1]).body == [49])
        }

        @Test func `metrics count the requests by handler and status`() throws {
            func count() throws -> Double? {
                let lines = try self.connection.request("GET", "/metrics").text.split(separator: "\n")
                return lines.first {
                    $0.hasPrefix("http_requests_total{") && $0.contains("\"kv_set\"") && $0.contains("\"200\"")
                        && $0.contains("\"PUT\"")
                }.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }
            }
            let before = try #require(try count())
            #expect(try self.client.set([2], [2]).status == 200)
            #expect(try count() == before + 1)
        }

        @Test func `an action with a body that is no action is refused`() throws {
            #expect(try self.post("/admin/read-only", "{").status == 400)
            #expect(try self.post("/admin/log-level", #"{"level":"loud"}"#).status == 400)
            #expect(try self.connection.request("GET", "/admin/compact").status == 405)
        }
    }
}
