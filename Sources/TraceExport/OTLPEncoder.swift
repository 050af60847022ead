import HTTP1
import JSON
import RequestTracing
import SystemSupport

/// Encodes spans as an OTLP `ExportTraceServiceRequest` in JSON.
///
/// Names are in lowerCamelCase, trace and span ids in hexadecimal (other bytes in base64), enumerations as numbers,
/// 64-bit integers and times as decimal strings (OTLP 1.x, JSON Protobuf encoding). Attributes have the stable names of
/// the HTTP semantic conventions. Confined to the exporter's thread.
public struct OTLPEncoder: Sendable {
    private static let serverKind = 2
    /// Bit 8 of a span's flags: bit 9 is valid, and contains whether the parent is in another process.
    private static let parentIsKnown = 0x100
    private static let parentIsRemote = 0x200

    private let service: String
    private let instanceID: String
    /// For spans without references to them.
    private var identities = RequestIdentityGenerator()

    init(service: String, instanceID: String) {
        self.service = service
        self.instanceID = instanceID
    }

    /// One request body with all of these.
    mutating func encode(_ requests: ArraySlice<RequestSpans>) -> [UInt8] {
        var writer = JSONWriter(reservingBytes: 1_024 * (1 + requests.reduce(0) { $0 + $1.count }))
        var identities = self.identities
        writer.object { document in
            document.oneElement("resourceSpans") { resource in
                resource.member("resource", object: { $0.attributes(self.resourceAttributes) })
                resource.oneElement("scopeSpans") { scope in
                    scope.member(
                        "scope",
                        object: { object in
                            object.member("name", "txlog-kv")
                            object.member("version", BuildInfo.version)
                        }
                    )
                    scope.member(
                        "spans",
                        array: { spans in
                            for request in requests { Self.append(request, &identities, to: &spans) }
                        }
                    )
                }
            }
        }
        self.identities = identities
        return writer.bytes
    }

    private func resourceAttributes(_ attributes: inout JSONWriter) {
        attributes.attribute("service.name", self.service)
        attributes.attribute("service.version", BuildInfo.version)
        attributes.attribute("service.instance.id", self.instanceID)
        attributes.attribute("telemetry.sdk.name", "txlog-kv")
        attributes.attribute("telemetry.sdk.language", "swift")
        attributes.attribute("telemetry.sdk.version", BuildInfo.version)
    }

    // MARK: Spans

    private static func append(
        _ request: RequestSpans,
        _ identities: inout RequestIdentityGenerator,
        to spans: inout JSONWriter
    ) {
        spans.element(object: { self.appendServerSpan(request, to: &$0) })
        for child in request.children {
            let id = child.id == 0 ? identities.spanID() : child.id
            spans.element(object: { span in
                span.member("traceId", request.trace.traceID)
                span.member("spanId", HexDigits.text(id))
                span.member("parentSpanId", request.trace.spanID)
                span.traceState(request.trace.state)
                span.member("flags", Int(request.trace.flags) | self.parentIsKnown)
                span.member("name", child.name.description)
                span.member("kind", child.kind.rawValue)
                span.times(child.beganAt, child.endedAt, offset: request.wallClockOffset)
                span.attributes { attributes in
                    for attribute in child.attributes { attributes.attribute(attribute.name, attribute.value) }
                    if let failure = child.failure { attributes.attribute("error.type", failure) }
                }
                span.status(isError: child.failure != nil)
            })
        }
    }

    private static func appendServerSpan(_ request: RequestSpans, to span: inout JSONWriter) {
        let isRoot = request.trace.parentSpan == 0
        // An error of the server, not of the client: the client's own span shows the client's errors.
        let isError = request.status >= 500
        let method = request.method == .other ? "HTTP" : request.method.name.description
        span.member("traceId", request.trace.traceID)
        span.member("spanId", request.trace.spanID)
        if let parent = request.trace.parentSpanID { span.member("parentSpanId", parent) }
        span.traceState(request.trace.state)
        span.member("flags", Int(request.trace.flags) | self.parentIsKnown | (isRoot ? 0 : self.parentIsRemote))
        span.member("name", request.route.map { "\(method) \($0)" } ?? method)
        span.member("kind", self.serverKind)
        span.times(request.beganAt, request.endedAt, offset: request.wallClockOffset)
        span.attributes { self.appendServerAttributes(request, isError: isError, to: &$0) }
        span.status(isError: isError)
    }

    private static func appendServerAttributes(
        _ request: RequestSpans,
        isError: Bool,
        to attributes: inout JSONWriter
    ) {
        let method = request.method == .other ? "_OTHER" : request.method.name.description
        attributes.attribute("http.request.method", method)
        attributes.attribute("url.scheme", "http")
        if let route = request.route {
            // Routes have no parameters: the route equals the path.
            attributes.attribute("url.path", route)
            attributes.attribute("http.route", route)
        }
        attributes.attribute("http.response.status_code", .integer(Int(request.status)))
        if isError { attributes.attribute("error.type", request.failure ?? String(request.status)) }
        attributes.attribute("network.protocol.version", request.isHTTP11 ? "1.1" : "1.0")
        if let colon = request.peer.lastIndex(of: ":"), let port = Int(request.peer[colon...].dropFirst()) {
            attributes.attribute("client.address", String(request.peer[..<colon]))
            attributes.attribute("network.peer.address", String(request.peer[..<colon]))
            attributes.attribute("network.peer.port", .integer(port))
        }
        if !request.userAgent.isEmpty { attributes.attribute("user_agent.original", request.userAgent) }
        attributes.attribute("http.response.header.x-request-id", texts: [request.requestID])
    }
}
