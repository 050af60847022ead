import Foundation
import Testing

@testable import HTTP1
@testable import RequestTracing
@testable import SystemSupport
@testable import TraceExport

extension RequestSpans {
    /// A request of a given trace with children; its times are 1 and 2 seconds after the start of the machine, which
    /// started at 1,000,000,000 s.
    static func sample(
        parentSpanID: String? = nil,
        state: String? = nil,
        route: String? = "/kv/set",
        method: RequestMethod = .post,
        status: UInt = 200,
        failure: String? = nil,
        userAgent: String = "",
        children: [ChildSpan] = []
    ) -> RequestSpans {
        RequestSpans(
            trace: TraceContext(
                traceID: "0af7651916cd43dd8448eb211c80319c",
                spanID: "b7ad6b7169203331",
                parentSpanID: parentSpanID,
                flags: 1,
                state: state
            )!,
            requestID: "id-1",
            method: method,
            route: route,
            status: status,
            failure: failure,
            isHTTP11: true,
            userAgent: userAgent,
            peer: "127.0.0.1:5000",
            beganAt: 1_000_000_000,
            endedAt: 2_000_000_001,
            wallClockOffset: 1_000_000_000_000_000_000,
            children: children
        )
    }
}

/// The JSON form of OTLP: names, and how ids, numbers and enumerations are written.
@Suite(.timeLimit(.minutes(1)))
struct OTLPEncoderTests {
    static func text(_ requests: RequestSpans...) -> String {
        var encoder = OTLPEncoder(service: "kv-service", instanceID: "0123456789abcdef")
        return String(decoding: encoder.encode(requests[...]), as: UTF8.self)
    }

    @Test func `a request has these bytes`() {
        let attributes = [
            #"{"key":"http.request.method","value":{"stringValue":"POST"}}"#,
            #"{"key":"url.scheme","value":{"stringValue":"http"}}"#,
            #"{"key":"url.path","value":{"stringValue":"/kv/set"}}"#,
            #"{"key":"http.route","value":{"stringValue":"/kv/set"}}"#,
            #"{"key":"http.response.status_code","value":{"intValue":"200"}}"#,
            #"{"key":"network.protocol.version","value":{"stringValue":"1.1"}}"#,
            #"{"key":"client.address","value":{"stringValue":"127.0.0.1"}}"#,
            #"{"key":"network.peer.address","value":{"stringValue":"127.0.0.1"}}"#,
            #"{"key":"network.peer.port","value":{"intValue":"5000"}}"#,
            #"{"key":"http.response.header.x-request-id","value":{"arrayValue":{"values":[{"stringValue":"id-1"}]}}}"#,
        ]
        let resource = [
            ("service.name", "kv-service"), ("service.version", BuildInfo.version),
            ("service.instance.id", "0123456789abcdef"), ("telemetry.sdk.name", "txlog-kv"),
            ("telemetry.sdk.language", "swift"), ("telemetry.sdk.version", BuildInfo.version),
        ].map { #"{"key":"\#($0.0)","value":{"stringValue":"\#($0.1)"}}"# }
        let span =
            #"{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","#
            + #""parentSpanId":"00f067aa0ba902b7","traceState":"a=1","flags":769,"name":"POST /kv/set","kind":2,"#
            + #""startTimeUnixNano":"1000000001000000000","endTimeUnixNano":"1000000002000000001","#
            + #""attributes":[\#(attributes.joined(separator: ","))],"status":{}}"#
        #expect(
            Self.text(.sample(parentSpanID: "00f067aa0ba902b7", state: "a=1"))
                == #"{"resourceSpans":[{"resource":{"attributes":[\#(resource.joined(separator: ","))]},"scopeSpans":["#
                + #"{"scope":{"name":"txlog-kv","version":"\#(BuildInfo.version)"},"spans":[\#(span)]}]}]}"#
        )
    }

    @Test func `a stage is a child with an id of its own, an attempt has the id it was sent with`() {
        let text = Self.text(
            .sample(children: [
                ChildSpan("fsync", beganAt: 1_000_000_005, endedAt: 1_000_000_009),
                ChildSpan(
                    "GET /kv/get", kind: .client, id: 0xAB, beganAt: 1_000_000_006, endedAt: 1_000_000_005,
                    attributes: [.init("server.port", .integer(-1))], failure: "timeout"),
            ]))
        let child =
            /\{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"([0-9a-f]{16})","parentSpanId":"b7ad6b7169203331","flags":257,"name":"fsync","kind":1,"startTimeUnixNano":"1000000001000000005","endTimeUnixNano":"1000000001000000009","attributes":\[\],"status":\{\}\}/
        #expect(text.firstMatch(of: child).map { $0.1 != "0000000000000000" } == true, "\(text)")
        #expect(
            text.contains(
                #""spanId":"00000000000000ab","parentSpanId":"b7ad6b7169203331","flags":257,"name":"GET /kv/get","#
                    + #""kind":3,"startTimeUnixNano":"1000000001000000006","endTimeUnixNano":"1000000001000000006","#
                    + #""attributes":[{"key":"server.port","value":{"intValue":"-1"}},"#
                    + #"{"key":"error.type","value":{"stringValue":"timeout"}}],"status":{"code":2}}"#))
    }

    @Test func `a failure of the service is an error, one of the client is not`() {
        let failed = Self.text(.sample(status: 503, failure: "store_failed"))
        #expect(failed.contains(#""status":{"code":2}"#))
        #expect(failed.contains(#"{"key":"error.type","value":{"stringValue":"store_failed"}}"#))
        let refused = Self.text(.sample(status: 400, failure: "bad_request"))
        #expect(refused.contains(#""status":{}"#) && !refused.contains("error.type"))
    }

    @Test func `a path without a route and an unknown method are not shown`() {
        let text = Self.text(.sample(route: nil, method: .other, status: 404))
        #expect(text.contains(#""name":"HTTP","#) && !text.contains("url.path") && !text.contains("http.route"))
        #expect(text.contains(#"{"key":"http.request.method","value":{"stringValue":"_OTHER"}}"#))
    }

    @Test func `a hostile user agent stays a text`() throws {
        let agent = "\",\"kind\":3,\"\\\u{1B}[31m\u{2028}\n"
        let text = Self.text(.sample(userAgent: agent), .sample(userAgent: agent))
        #expect(text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
        let document = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        let resources = document?["resourceSpans"] as? [[String: Any]]
        let scopes = resources?.first?["scopeSpans"] as? [[String: Any]]
        let spans = try #require(scopes?.first?["spans"] as? [[String: Any]])
        #expect(spans.count == 2)
        for span in spans {
            #expect(span["kind"] as? Int == 2)
            let attributes = span["attributes"] as? [[String: Any]] ?? []
            let shown = attributes.first { $0["key"] as? String == "user_agent.original" }?["value"] as? [String: Any]
            #expect(shown?["stringValue"] as? String == agent)
        }
    }
}
