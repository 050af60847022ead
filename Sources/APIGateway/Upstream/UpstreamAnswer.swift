import HTTP1
import JSON
import KeyValueHTTP
import NIOCore
import NIOHTTP1

/// What an answer of kv-service says, once it is certain that it is one.
enum UpstreamAnswer {
    case value(ByteBuffer, revision: UInt64)
    case keyNotFound
    case stored(revision: UInt64)
    /// The revision is there if the key was.
    case deleted(Bool, revision: UInt64?)
    /// To a probe.
    case readiness(UpstreamReadiness)
    /// kv-service took the request for what it was and refused it; the problem is passed on to the client.
    case refused(Problem)

    /// Problems that are about the client's request or kv-service's state, and not about how the gateway asked.
    private static let passedOnStatuses: Set<Int> = [400, 409, 412, 413, 414, 429, 431, 500, 503, 504, 507]

    /// - Throws: ``UpstreamFailure/protocolError(_:)`` for an answer that kv-service would not give to `operation`.
    init(_ response: UpstreamResponse, to operation: UpstreamOperation) throws(UpstreamFailure) {
        switch (response.head.status, operation) {
        case (200, .get):
            guard response.head.mediaType == .bytes else { throw .protocolError("a value of another content type") }
            guard let revision = response.head.revision else { throw .protocolError("a value without a revision") }
            self = .value(response.body, revision: revision)
        case (200, .set):
            let document = try Self.document(response)
            guard let revision = try Self.revision(document, response.head) else {
                throw .protocolError("a write without a revision")
            }
            self = .stored(revision: revision)
        case (200, .delete):
            let document = try Self.document(response)
            guard case .bool(let wasThere)? = document["deleted"] else {
                throw .protocolError("a delete that does not say whether it deleted")
            }
            let revision = try Self.revision(document, response.head)
            guard revision != nil || !wasThere else { throw .protocolError("a write without a revision") }
            self = .deleted(wasThere, revision: revision)
        case (200, .probe), (503, .probe):
            if response.head.precedesRequest {
                self = .readiness(UpstreamReadiness(isReady: false, isServing: nil))
                return
            }
            self = .readiness(try Self.readiness(response))
        case (404, .get):
            // Any server says 404 to a path it does not have: only kv-service can say that it lacks the key.
            let problem = try Self.problem(response, to: operation)
            guard response.head.isMiss, problem.code == KeyValueAnswer.keyNotFound.code else {
                throw .protocolError("status 404 that is not about a key")
            }
            self = .keyNotFound
        case (let status, _) where Self.passedOnStatuses.contains(status):
            self = .refused(try Self.problem(response, to: operation))
        case (let status, _):
            throw .protocolError("status \(status)")
        }
    }

    /// The document of a write that was done: `{"status":"ok",…}`.
    private static func document(_ response: UpstreamResponse) throws(UpstreamFailure) -> FlatJSONObject {
        guard response.head.mediaType == .json else { throw .protocolError("an answer of another content type") }
        let document: FlatJSONObject
        do throws(JSONSyntaxError) {
            document = try FlatJSONObject(parsing: Array(response.body.readableBytesView))
        } catch {
            throw .protocolError("an answer that is not JSON: \(error.reason) at byte \(error.offset)")
        }
        guard case .string(let status)? = document["status"], status.elementsEqual("ok".utf8) else {
            throw .protocolError("an answer whose status is not ok")
        }
        return document
    }

    /// Another server may have a page for every path, and the gateway itself has a `/readyz` of the same form.
    private static func readiness(_ response: UpstreamResponse) throws(UpstreamFailure) -> UpstreamReadiness {
        guard response.head.mediaType == .json,
            let document = try? FlatJSONObject(
                parsing: Array(response.body.readableBytesView), skipsNestedValues: true),
            case .string(let service)? = document["service"]
        else { throw .protocolError("status \(response.head.status) to /readyz that kv-service does not give") }
        guard service.elementsEqual("kv-service".utf8) else {
            throw .protocolError("another service: \(String(decoding: service.prefix(64), as: UTF8.self))")
        }
        let isReady = response.head.status == 200
        guard case .string(let serving)? = document["serving"] else {
            // One that does not say it serves when it is ready.
            return UpstreamReadiness(isReady: isReady, isServing: isReady)
        }
        return UpstreamReadiness(
            isReady: isReady, isServing: !serving.elementsEqual("none".utf8),
            takesWrites: serving.elementsEqual("all".utf8))
    }

    private static func revision(
        _ document: FlatJSONObject,
        _ head: UpstreamResponse.Head
    ) throws(UpstreamFailure) -> UInt64? {
        switch document["revision"] {
        case nil:
            return nil
        case .number(let digits)?:
            guard let revision = UInt64(digits), head.revision == nil || head.revision == revision else { fallthrough }
            return revision
        default:
            throw .protocolError("a revision that is not one")
        }
    }

    private static func problem(
        _ response: UpstreamResponse,
        to operation: UpstreamOperation
    ) throws(UpstreamFailure) -> Problem {
        let status = response.head.status
        guard response.head.mediaType == .problem,
            let document = try? FlatJSONObject(parsing: Array(response.body.readableBytesView)),
            case .string(let codeBytes)? = document["code"], case .string(let detailBytes)? = document["detail"],
            (1...64).contains(codeBytes.count), detailBytes.count <= 2048,
            codeBytes.allSatisfy({
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            })
        else { throw .protocolError("status \(status) that kv-service does not explain") }
        var applied: Problem.Applied?
        if operation.isWrite {
            if case .string(let text)? = document["applied"] {
                applied = Problem.Applied(rawValue: String(decoding: text, as: UTF8.self))
            }
            applied = response.head.precedesRequest ? .no : applied ?? .unknown
        }
        let detail = String(decoding: detailBytes, as: UTF8.self)
        var refusal = Problem(
            HTTPResponseStatus(statusCode: status),
            code: String(decoding: codeBytes, as: UTF8.self),
            // The gateway has a limit of connections too, and this is not it.
            detail: response.head.precedesRequest ? "kv-service did not take the request: \(detail)" : detail,
            applied: applied
        )
        if let seconds = response.head.retryAfterSeconds { refusal.headers.append(("Retry-After", String(seconds))) }
        return refusal
    }
}
