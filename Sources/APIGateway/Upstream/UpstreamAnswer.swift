import HTTP1
import JSON
import KeyValueHTTP
import NIOCore
import NIOHTTP1

/// An answer of kv-service, validated.
enum UpstreamAnswer {
    /// `expiresAt`: 0 for never.
    case value(ByteBuffer, revision: UInt64, expiresAt: UInt64)
    case keyNotFound
    case stored(revision: UInt64)
    /// The revision exists if the key existed.
    case deleted(Bool, revision: UInt64?)
    /// A document that is passed on as it is, and the revision in its `ETag`.
    case document(ByteBuffer, revision: UInt64?)
    /// The answer to a probe.
    case readiness(UpstreamReadiness)
    /// kv-service understood the request and refused it; the problem is forwarded to the client.
    case refused(Problem)

    /// Problems caused by the client's request or kv-service's state, not by the gateway.
    private static let passedOnStatuses: Set<Int> = [400, 409, 413, 414, 422, 429, 431, 500, 503, 504, 507]

    /// What an answer means to the client that kv-service gave to the gateway.
    static let problems = [ProblemKind(502, "upstream_access_denied")]

    /// Whether kv-service refuses the gateway itself.
    static func deniesAccess(_ status: Int) -> Bool { status == 401 || status == 403 }

    /// kv-service refuses the gateway itself, before it does anything.
    private static func accessDenied(
        _ response: borrowing UpstreamResponse, to operation: UpstreamOperation
    ) throws(UpstreamFailure) -> UpstreamAnswer {
        _ = try self.problem(response, to: operation)
        return .refused(
            Problem(
                .badGateway, code: "upstream_access_denied",
                detail: "kv-service refused the gateway's own access key; see --upstream-access-key-file.",
                applied: operation.isWrite ? .no : nil))
    }

    /// Whether kv-service has not carried out the request because it starts or stops.
    static func saysRestarting(_ response: borrowing UpstreamResponse, to operation: UpstreamOperation) -> Bool {
        // Nonsense is no such answer, and is found when the answer is taken.
        guard response.head.status == 503, let problem = try? self.problem(response, to: operation) else {
            return false
        }
        return (problem.code == "starting" || problem.code == "stopping")
            && (!operation.isWrite || problem.applied == .no)
    }

    /// - Parameter condition: that of the request.
    /// - Throws: ``UpstreamFailure/protocolError(_:)`` for an answer that kv-service never sends to `operation`.
    init(
        _ response: borrowing UpstreamResponse, to operation: UpstreamOperation, if condition: Precondition = .none
    ) throws(UpstreamFailure) {
        switch (response.head.status, operation) {
        case (200, .get):
            guard response.head.mediaType == .bytes else { throw .protocolError("a value with another content type") }
            guard let revision = response.head.revision else { throw .protocolError("a value without a revision") }
            self = .value(response.body, revision: revision, expiresAt: response.head.expiresAt)
        case (200, .set):
            self = .stored(revision: try Self.revisionOfSet(response))
        case (200, .delete):
            let document = try Self.document(response)
            guard case .bool(let wasThere)? = document["deleted"] else {
                throw .protocolError("a delete without the member deleted")
            }
            let revision = try Self.revision(document, response.head)
            guard revision != nil || !wasThere else { throw .protocolError("a write without a revision") }
            self = .deleted(wasThere, revision: revision)
        case (200, .keys): self = try Self.document(response, #"{"status":"ok","keys":["#)
        case (200, .mget): self = try Self.document(response, #"{"status":"ok","values":["#)
        case (200, .txn): self = try Self.document(response, #"{"status":"ok","revision":"#)
        case (200, .incr):
            guard response.head.revision != nil else { throw .protocolError("a write without a revision") }
            self = try Self.document(response, #"{"status":"ok","value":""#)
        case (200, .probe), (503, .probe):
            if response.head.hasOtherRequestID {
                self = .readiness(UpstreamReadiness(isReady: false, isServing: nil, condition: .busy))
                return
            }
            self = .readiness(try Self.readiness(response))
        case (404, .get):
            // Any server answers 404 to an unknown path: only kv-service can report a missing key.
            let problem = try Self.problem(response, to: operation)
            guard response.head.isMiss, problem.code == KeyValueAnswer.keyNotFound.code else {
                throw .protocolError("status 404 that does not mean a missing key")
            }
            self = .keyNotFound
        case (412, .set), (412, .delete), (412, .incr):
            self = .refused(try Self.preconditionFailed(response, to: operation, condition))
        case (let status, _) where Self.deniesAccess(status): self = try Self.accessDenied(response, to: operation)
        case (let status, _) where Self.passedOnStatuses.contains(status):
            self = .refused(try Self.problem(response, to: operation))
        case (let status, _):
            throw .protocolError("status \(status)")
        }
    }

    /// - Parameter beginning: of the document. It must also have its end; the rest is passed on as it is.
    private static func document(
        _ response: borrowing UpstreamResponse, _ beginning: StaticString
    ) throws(UpstreamFailure) -> UpstreamAnswer {
        guard response.head.mediaType == .json, ASCII.begins(response.body.readableBytesUInt8Span, with: beginning)
        else { throw .protocolError("another document") }
        guard response.body.readableBytesView.suffix(2).elementsEqual("}\n".utf8) else {
            throw .protocolError("a document without its end")
        }
        return .document(response.body, revision: response.head.revision)
    }

    private static func revisionOfSet(_ response: UpstreamResponse) throws(UpstreamFailure) -> UInt64 {
        if response.head.mediaType == .json,
            let revision = StoredDocument.revision(in: response.body.readableBytesUInt8Span),
            response.head.revision == nil || response.head.revision == revision
        {
            return revision
        }
        guard let revision = try self.revision(try self.document(response), response.head) else {
            throw .protocolError("a write without a revision")
        }
        return revision
    }

    /// The document of a successful write: `{"status":"ok",…}`.
    private static func document(_ response: UpstreamResponse) throws(UpstreamFailure) -> FlatJSONObject {
        guard response.head.mediaType == .json else { throw .protocolError("an answer with another content type") }
        let document: FlatJSONObject
        do throws(JSONSyntaxError) {
            document = try FlatJSONObject(parsing: Array(response.body.readableBytesView))
        } catch {
            throw .protocolError("an answer that is not JSON: \(error.reason) at byte \(error.offset)")
        }
        guard case .string(let status)? = document["status"], status.elementsEqual("ok".utf8) else {
            throw .protocolError("an answer without status ok")
        }
        return document
    }

    /// Another server may have a page for every path, and the gateway itself has a `/readyz` of the same form.
    private static func readiness(_ response: UpstreamResponse) throws(UpstreamFailure) -> UpstreamReadiness {
        guard response.head.mediaType == .json,
            let document = try? FlatJSONObject(
                parsing: Array(response.body.readableBytesView), skipsNestedValues: true),
            case .string(let service)? = document["service"]
        else { throw .protocolError("unexpected status or body of /readyz, status \(response.head.status)") }
        guard service.elementsEqual("kv-service".utf8) else {
            throw .protocolError("another service: \(String(decoding: service.prefix(64), as: UTF8.self))")
        }
        let isReady = response.head.status == 200
        var state: String?
        if case .string(let text)? = document["state"] { state = String(decoding: text, as: UTF8.self) }
        let condition = UpstreamCondition(isReady: isReady, state: state)
        guard case .string(let serving)? = document["serving"] else {
            // An older kv-service without `serving`: it serves when it is ready.
            return UpstreamReadiness(isReady: isReady, isServing: isReady, condition: condition)
        }
        return UpstreamReadiness(
            isReady: isReady, isServing: !serving.elementsEqual("none".utf8),
            takesWrites: serving.elementsEqual("all".utf8), condition: condition)
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

    /// - Throws: also if the request had no condition, or the revision meets it.
    private static func preconditionFailed(
        _ response: UpstreamResponse, to operation: UpstreamOperation, _ condition: Precondition
    ) throws(UpstreamFailure) -> Problem {
        let problem = try self.problem(response, to: operation)
        guard problem.code == KeyValueAnswer.preconditionFailedCode, problem.applied == .no else {
            throw .protocolError("status 412 that does not mean an unmet condition")
        }
        let current = problem.revision
        guard current == response.head.revision else { throw .protocolError("an unmet condition with two revisions") }
        // An increment may have its condition in the body, which is passed on as it is.
        let mayBeUnmet = condition == .none ? operation == .incr : !condition.isMet(by: current)
        guard current != 0, mayBeUnmet else {
            throw .protocolError("status 412 to a request whose condition is met")
        }
        return problem
    }

    /// The answer to a watch that is no stream: the document of a poll, or a problem.
    ///
    /// - Throws: ``UpstreamFailure/protocolError(_:)``.
    static func ofWatch(_ response: UpstreamResponse, isPoll: Bool) throws(UpstreamFailure) -> UpstreamAnswer {
        let status = response.head.status
        if status == 200 {
            guard isPoll, !response.head.hasOtherRequestID else {
                throw .protocolError("an answer to a poll that is not one")
            }
            return try self.document(response, #"{"status":"ok","events":["#)
        }
        if self.deniesAccess(status) { return try self.accessDenied(response, to: .keys) }
        guard Self.passedOnStatuses.contains(status) || status == 410 || status == 501 else {
            throw .protocolError("status \(status)")
        }
        var problem = try self.problem(response, to: .keys)
        let document = try? FlatJSONObject(parsing: Array(response.body.readableBytesView))
        for name: StaticString in ["oldest_revision", "revision"] {
            guard case .number(let digits)? = document?[name.description], let revision = UInt64(digits) else {
                continue
            }
            problem.add(name, revision)
        }
        return .refused(problem)
    }

    private static func problem(
        _ response: UpstreamResponse,
        to operation: UpstreamOperation
    ) throws(UpstreamFailure) -> Problem {
        let status = response.head.status
        guard response.head.mediaType == .problem,
            let document = try? FlatJSONObject(
                parsing: Array(response.body.readableBytesView), skipsNestedValues: true),
            case .string(let codeBytes)? = document["code"], case .string(let detailBytes)? = document["detail"],
            (1...64).contains(codeBytes.count), detailBytes.count <= 2048,
            codeBytes.allSatisfy({
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            })
        else { throw .protocolError("status \(status) without a problem document") }
        var applied: Problem.Applied?
        if operation.isWrite {
            if case .string(let text)? = document["applied"] {
                applied = Problem.Applied(rawValue: String(decoding: text, as: UTF8.self))
            }
            applied = response.head.hasOtherRequestID ? .no : applied ?? .unknown
        }
        let detail = String(decoding: detailBytes, as: UTF8.self)
        var refusal = Problem(
            HTTPResponseStatus(statusCode: status),
            code: String(decoding: codeBytes, as: UTF8.self),
            // The gateway has a limit of connections too, and this is not that one.
            detail: response.head.hasOtherRequestID ? "kv-service did not accept the request: \(detail)" : detail,
            applied: applied,
            revision: status == 412 ? try Self.revision(document, response.head) : nil
        )
        if operation == .txn, refusal.code == KeyValueAnswer.checksFailedCode {
            refusal.members = try self.failedChecks(Array(response.body.readableBytesView))
        }
        if let seconds = response.head.retryAfterSeconds { refusal.headers.append(("Retry-After", String(seconds))) }
        return refusal
    }

    /// The member `failed` of a problem, as it is.
    private static func failedChecks(_ document: [UInt8]) throws(UpstreamFailure) -> [UInt8] {
        let failed = try? JSONTokenizer.read(document) { (tokenizer) throws(JSONSyntaxError) -> [UInt8]? in
            try tokenizer.beginObject()
            var failed: [UInt8]?
            while let name = try tokenizer.nextMemberName() {
                let (isFailed, begin) = (tokenizer.isEqual(name, "failed"), tokenizer.lastNameOffset)
                let value = try tokenizer.value()
                try tokenizer.skip(value)
                if isFailed, case .beginArray = value { failed = Array(document[begin..<tokenizer.offset]) }
            }
            return failed
        }
        guard let failed else { throw .protocolError("failed checks without their list") }
        return failed
    }
}
