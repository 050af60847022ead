import NIOCore
import PrometheusMetrics
import SystemSupport
import TestSupport
import Testing

@testable import APIGateway
@testable import JSON

@Suite("What the gateway tells of itself", .timeLimit(.minutes(1)))
struct GatewayDocumentsTests {
    private func document(_ table: UpstreamTable) -> String {
        let admin = GatewayAdmin(
            table: { table }, rateLimit: ClientRateLimit(nil, registry: MetricsRegistry()),
            timeoutNanoseconds: 3_000_000_000, queueNanoseconds: 5_000_000)
        var writer = JSONWriter()
        writer.object(admin.write)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private func metrics(_ gateway: ForwarderHarness) -> [String: String] {
        let text = String(decoding: gateway.registry.render(), as: UTF8.self)
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        return Dictionary(
            lines.map { line in
                let space = line.lastIndex(of: " ") ?? line.startIndex
                return (String(line[..<space]), String(line[line.index(after: space)...]))
            }
        ) { $1 }
    }

    @Test func `has every series from the start, at 0`() async throws {
        let gateway = try await ForwarderHarness(port: 1)
        let metrics = self.metrics(gateway)
        for series in [
            #"gateway_upstream_requests_total{operation="set",status="200",upstream="kv-service"}"#,
            #"gateway_upstream_requests_total{operation="get",status="404",upstream="kv-service"}"#,
            #"gateway_upstream_request_duration_seconds_count{operation="delete",upstream="kv-service"}"#,
            "gateway_overhead_duration_seconds_count",
            #"gateway_upstream_failures_total{reason="timeout",upstream="kv-service"}"#,
            #"gateway_upstream_failures_total{reason="pool_exhausted",upstream="kv-service"}"#,
            #"gateway_upstream_retries_total{result="success",upstream="kv-service"}"#,
            #"gateway_upstream_requests_in_flight{upstream="kv-service"}"#,
            #"gateway_upstream_connections{state="idle",upstream="kv-service"}"#,
            #"gateway_upstream_connects_total{result="failure",upstream="kv-service"}"#,
            #"gateway_upstream_up{upstream="kv-service"}"#,
            #"gateway_upstream_last_success_timestamp_seconds{upstream="kv-service"}"#,
            #"gateway_circuit_open{circuit="reads",upstream="kv-service"}"#,
            #"gateway_circuit_open{circuit="writes",upstream="kv-service"}"#,
            #"gateway_upstream_failures_total{reason="answer_too_large",upstream="kv-service"}"#,
        ] {
            #expect(metrics[series] == "0", "\(series)")
        }
        try await gateway.shutDown()
    }

    @Test func `counts requests by operation and status, attempts and connections`() async throws {
        let upstream = FakeHTTPServer { request in
            switch request.method {
            case "GET" where request.key == [1]: request.connection == 1 ? [.close] : FakeAnswer.value([1], revision: 1)
            case "GET": FakeAnswer.missing
            default: FakeAnswer.stored(1)
            }
        }
        try await withGateway(upstream: upstream) { gateway in
            #expect(await gateway.get(key: [1]).attempts == 2)
            #expect(await gateway.get(key: [2]).status == 404)
            #expect(await gateway.set("k", "v").status == 200)
            try await gateway.wait { $0.idle == 1 }
            let metrics = self.metrics(gateway)
            func value(_ name: String, _ labels: String = "") -> String? {
                metrics[#"\#(name){\#(labels)upstream="kv-service"}"#]
            }
            #expect(value("gateway_upstream_requests_total", #"operation="get",status="200","#) == "1")
            #expect(value("gateway_upstream_requests_total", #"operation="get",status="404","#) == "1")
            #expect(value("gateway_upstream_requests_total", #"operation="set",status="200","#) == "1")
            #expect(value("gateway_upstream_request_duration_seconds_count", #"operation="get","#) == "2")
            #expect(metrics["gateway_overhead_duration_seconds_count"] == "3")
            #expect(value("gateway_upstream_failures_total", #"reason="reset","#) == "1")
            #expect(value("gateway_upstream_retries_total", #"result="success","#) == "1")
            #expect(value("gateway_upstream_retries_total", #"result="failure","#) == "0")
            #expect(value("gateway_upstream_connects_total", #"result="success","#) == "2")
            #expect(value("gateway_upstream_connections", #"state="idle","#) == "1")
            #expect(value("gateway_upstream_connections", #"state="active","#) == "0")
            let lastSuccess = value("gateway_upstream_last_success_timestamp_seconds").flatMap { Double($0) } ?? 0
            #expect(abs(lastSuccess - Double(WallClock.nanoseconds()) / 1e9) < 60)
        }
    }

    @Test func `says in /admin what kv-service does`() async throws {
        let upstream = FakeHTTPServer { request in
            request.method == "GET" ? FakeAnswer.value([1], revision: 1) : [.text("nonsense\r\n\r\n")]
        }
        try await withGateway(breakerFailures: 1, upstream: upstream) { gateway in
            let before = self.document(gateway.table)
            #expect(before.contains(#""last_success_at":null,"last_error":null"#))
            #expect(before.contains(#","prefixes":["*"],"state":"unknown""#))
            let closed = #""state":"closed","opened_at":null,"reason":null"#
            #expect(before.contains(#""circuit":{\#(closed),"reads":{\#(closed)},"writes":{\#(closed)}}"#))
            #expect(await gateway.get("k").status == 200)
            #expect(await gateway.set("k", "v").status == 502)
            try await gateway.wait { $0.active == 0 }
            let document = self.document(gateway.table)
            #expect(document.hasPrefix(#"{"upstreams":[{"name":"kv-service","base_url":"http://127.0.0.1:"#))
            #expect(document.contains(#""reason":"protocol","message":""#))
            #expect(
                document.contains(#""connections":{"idle":0,"active":0,"connecting":0,"max":64,"connects_total":1"#))
            #expect(document.contains(#""requests_total":1,"retries_total":0,"failures_total":{"#))
            #expect(document.contains(#""protocol":1"#))
            #expect(document.contains(#""timeout_seconds":3"#))
            let load = #""in_flight":0,"waiting":0,"overloaded":false"#
            #expect(
                document.contains(
                    #""queue_seconds_max":0.005,"load":{"reads":{"limit":64,\#(load)},"writes":{"limit":48,\#(load)}}"#)
            )
            #expect(document.contains(#""rate_limit":{"per_second":null,"burst":null,"clients":0,"#))
            #expect(document.contains(#""circuit":{"state":"open","opened_at":"20"#))
            #expect(document.contains(#""reads":{\#(closed)},"writes":{"state":"open","opened_at":"20"#))
            #expect(document.contains(#""overhead_seconds":{"p50":"#))
        }
    }
}
