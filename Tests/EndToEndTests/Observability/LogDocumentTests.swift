import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Docs/Logs.md", .timeLimit(.minutes(10)))
    struct LogDocumentTests {
        @Test func `has every message and every member that both services wrote`() throws {
            let document = try Repository.text("Docs/Logs.md")
            let services = try Services()
            for front in Front.allCases {
                let client = try KeyValueClient(services, through: front)
                #expect(try client.set([1], [1]).status == 200)
                #expect(try client.get([2]).status == 404)
                #expect(try client.delete([1]).status == 200)
            }
            let started = try HTTPConnection(port: services.kvPort).request("POST", "/admin/compact")
            #expect(started.status == 202)
            try services.kv.waitForLog("compaction done")
            _ = try services.stop()
            for service in [services.kv, try #require(services.gateway)] {
                let lines = service.log
                #expect(lines.count > 5)
                for line in lines {
                    for name in line.members.keys {
                        #expect(document.contains("`\(name)`"), "\(line.string("message") ?? ""): \(name)")
                    }
                    #expect(document.contains("`\(line.string("message") ?? "")`"))
                }
            }
        }

        /// Values that would have to be converted before they can be compared or added.
        @Test func `numbers are numbers in every line`() throws {
            let folder = TemporaryFolder()
            // There is no collector: the stop reports the spans that were not sent.
            let endpoint = ["--otlp-endpoint", "http://127.0.0.1:\(try FreePort.find())"]
            let services = try Services(folder: folder, kvArguments: endpoint, gatewayArguments: endpoint)
            #expect(try KeyValueClient(services, through: .apiGateway).set([1], [1]).status == 200)
            let started = try HTTPConnection(port: services.kvPort).request("POST", "/admin/compact")
            #expect(started.status == 202)
            try services.kv.waitForLog("compaction done")
            _ = try services.stop()
            let lines = services.kv.log + (services.gateway?.log ?? [])
            for (message, names) in [
                ("listening", ["pid"]), ("shutdown started", ["timeout_ms"]), ("shutdown finished", ["duration_ms"]),
                ("log closed", ["revision", "durable_revision"]), ("forwarding", ["timeout_ms"]),
                ("spans were not exported before the stop", ["spans"]),
                ("log replayed", ["revision", "operations", "segments", "bytes", "keys", "duration_seconds"]),
                ("compaction done", ["run_id", "bytes_before", "duration_seconds"]),
            ] {
                let line = try #require(lines.first { $0.string("message") == message }, "no line '\(message)'")
                for name in names { #expect(line.number(name) != nil, "\(message): \(name)") }
            }
            // Names of members that are text although they may look like a number.
            let texts: Set = ["request_id", "trace_id", "span_id", "store_id", "version"]
            for line in lines {
                for (name, value) in line.members where !texts.contains(name) {
                    guard let text = value as? String else { continue }
                    #expect(Double(text) == nil, "\(line.string("message") ?? ""): \(name) is the text \(text)")
                }
            }
        }

        @Test func `a write's line has where its time went, in both services`() throws {
            let services = try Services()
            #expect(try KeyValueClient(services, through: .apiGateway).set([1], [1]).status == 200)
            _ = try services.stop()
            let kv = try #require(services.kv.log.first { $0.string("handler") == "kv_set" })
            let stages = try ["queue_ms", "write_ms", "fsync_ms", "apply_ms"].map {
                try #require(kv.number($0), "\($0)")
            }
            let duration = try #require(kv.number("duration_ms"))
            // Each is rounded to a microsecond.
            #expect(stages.reduce(0, +) <= duration + 0.004 && stages.reduce(0, +) > 0)
            #expect(kv.integer("batch_writes") == 1)
            let gateway = try #require(services.gateway?.log.first { $0.string("handler") == "api_set" })
            let upstream = try #require(gateway.number("upstream_ms"))
            let overhead = try #require(gateway.number("overhead_ms"))
            let wait = try #require(gateway.number("wait_ms"))
            #expect(upstream >= duration && wait <= overhead + 0.001)
            #expect(upstream + overhead <= (gateway.number("duration_ms") ?? 0) + 0.002)
            #expect(gateway.integer("attempts") == 1 && gateway.integer("upstream_status") == 200)
            #expect(gateway.string("trace_id") == kv.string("trace_id"))
            #expect(gateway.string("request_id") == kv.string("request_id"))
        }
    }
}
