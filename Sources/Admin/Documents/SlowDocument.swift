import HTTP1
public import HTTPServing
import JSON
import NIOHTTP1
import RequestTracing
import SystemSupport
public import Telemetry

/// `GET /admin/slow`: the slowest requests of the last minutes with their stages; `?limit=N` and `?handler=NAME`.
public struct SlowDocument: Sendable {
    private static let defaultLimit: UInt64 = 32
    private static let largestLimit: UInt64 = 512

    private let identity: ServiceIdentity
    private let slowRequests: SlowRequests

    public init(identity: ServiceIdentity, slowRequests: SlowRequests) {
        self.identity = identity
        self.slowRequests = slowRequests
    }

    public var route: Route {
        .admin(
            "/admin/slow", takesQuery: true,
            get: { request throws(Problem) in .json(.ok, try self.bytes(for: request)) })
    }

    private func bytes(for request: HTTPRequest) throws(Problem) -> [UInt8] {
        let parameters = try QueryParameters(request.query, allowed: ["limit", "handler"])
        var limit = Self.defaultLimit
        if let text = parameters.bytes("limit") {
            guard let number = WholeNumber.parse(text), (1...Self.largestLimit).contains(number) else {
                throw Problem(
                    .badRequest, code: "bad_query",
                    detail: "limit must be a whole number from 1 to \(Self.largestLimit).")
            }
            limit = number
        }
        let names = self.slowRequests.handlers
        var handler: Int?
        if let text = parameters.bytes("handler") {
            handler = names.firstIndex { $0.utf8.elementsEqual(text) }
            if handler == nil {
                throw Problem(
                    .badRequest, code: "bad_query",
                    detail: "handler must be one of \(names.joined(separator: ", ")).")
            }
        }
        let now = MonotonicClock.nanoseconds()
        let requests = self.slowRequests.slowest(of: handler, limit: Int(limit), nowNanoseconds: now)
        var writer = JSONWriter(reservingBytes: 512 + 512 * requests.count)
        writer.object { document in
            self.identity.writeHead(to: &document)
            document.member("window_seconds", self.slowRequests.windowSeconds(nowNanoseconds: now))
            document.member("kept_per_handler", SlowRequests.perHandler)
            document.member(
                "requests",
                array: { array in
                    for request in requests {
                        array.element(object: { Self.write(&$0, request, handler: names[request.handler]) })
                    }
                })
        }
        writer.newline()
        return writer.bytes
    }

    private static func write(_ object: inout JSONWriter, _ request: SlowRequest, handler: String) {
        object.memberTimestamp("started_at", nanosecondsSince1970: request.startedAtNanoseconds)
        object.member("handler", handler)
        object.member("method", request.method.name.description)
        object.member("status", request.status)
        object.member("code", request.failure)
        object.member("duration_seconds", Double(request.durationNanoseconds) / 1e9)
        object.member(
            "stages_seconds",
            object: { stages in
                for (stage, nanoseconds) in request.stageNanoseconds { stages.member(stage, Double(nanoseconds) / 1e9) }
            })
        object.member("batch_writes", request.count("batch_writes"))
        object.member("attempts", request.count("attempts"))
        object.member("request_bytes", request.requestBytes)
        object.member("response_bytes", request.responseBytes)
        object.member("request_id", request.identity.id)
        object.member("trace_id", request.identity.trace.traceID)
        object.member("span_id", request.identity.trace.spanID)
    }
}
