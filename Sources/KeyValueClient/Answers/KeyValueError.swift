import JSON

/// Why an operation did not succeed: the service's own refusal, or that there was no answer.
public struct KeyValueError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Whether a write that failed has changed the store.
    public enum Applied: String, Sendable {
        case yes, no
        /// It may have been carried out, or may still be: the answer was lost, or did not come in time.
        case unknown
    }

    /// A check of a transaction that was not met.
    public struct FailedCheck: Sendable, Equatable {
        /// Of the check, from 0.
        public let index: Int
        public let key: [UInt8]
        /// Of the key; nil if it does not exist.
        public let revision: UInt64?
    }

    /// Of the HTTP answer; nil if there was none.
    public let status: Int?
    /// The code of the service's problem document, or one of this library: ``cannotConnect``, ``connectionLost``,
    /// ``timeout``, ``invalidAnswer``, ``badAddress``, ``badCertificate``, ``notAKVService``.
    public let code: String
    /// What happened and what to do, for people.
    public let detail: String
    /// Under which the logs of the service have the request.
    public let requestID: String?
    /// Whether the write was carried out, whatever attempts were made; nil for operations that only read.
    public internal(set) var applied: Applied?
    /// With `precondition_failed`: that of the key, nil if it does not exist. With `revision_in_the_future`: the newest.
    public internal(set) var revision: UInt64?
    /// With `revision_compacted`: the oldest that a watch can still begin at.
    public internal(set) var oldestRevision: UInt64?
    /// With `checks_failed`.
    public internal(set) var failedChecks: [FailedCheck] = []
    /// Seconds after which the service expects to succeed.
    var retryAfterSeconds: Int?
    /// Of what an answer asks for, no more than a day counts.
    private static let longestRetryAfterSeconds = 86_400

    /// The code when no connection could be made: nothing was sent.
    public static let cannotConnect = "cannot_connect"
    /// The code when a connection broke before the answer.
    public static let connectionLost = "connection_lost"
    /// The code when the operation's timeout ended first.
    public static let timeout = "timeout"
    /// The code when an answer is not one of a kv-service or gateway.
    public static let invalidAnswer = "invalid_answer"
    /// The code when the address of the service is not a URL that can be used.
    public static let badAddress = "bad_address"
    /// A file of certificates or a private key that the client cannot use.
    public static let badCertificate = "bad_certificate"
    /// The code when only a kv-service has what was asked for.
    public static let notAKVService = "not_a_kv_service"

    public var description: String {
        let status = self.status.map { "HTTP \($0), " } ?? ""
        let applied = self.applied.map { "; applied: \($0.rawValue)" } ?? ""
        let request = self.requestID.map { "; request \($0)" } ?? ""
        let oldest = self.oldestRevision.map { "; oldest revision \($0)" } ?? ""
        return "\(self.detail) (\(status)\(self.code)\(oldest)\(applied)\(request))"
    }

    init(
        status: Int? = nil, code: String, detail: String, requestID: String? = nil, applied: Applied? = nil
    ) {
        self.status = status
        self.code = code
        self.detail = detail
        self.requestID = requestID
        self.applied = applied
    }

    /// From an answer that is no success.
    init(_ answer: Answer, to call: Call) {
        let document = try? JSONTree(parsing: answer.body)
        let code = document?["code"]?.string
        self.status = answer.status
        self.code = code ?? Self.invalidAnswer
        self.detail =
            document?["detail"]?.string
            ?? "The answer is no problem document of a kv-service or api-gateway: check the address."
        self.requestID = document?["request_id"]?.string ?? answer.requestID
        self.revision = document?["revision"]?.unsigned
        self.oldestRevision = document?["oldest_revision"]?.unsigned
        self.retryAfterSeconds = answer["Retry-After"].flatMap(Int.init).map { min($0, Self.longestRetryAfterSeconds) }
        self.failedChecks = (document?["failed"]?.elements ?? []).compactMap { check in
            guard let index = check["check"]?.int, let key = check.bytes("key", "key_b64") else { return nil }
            return FailedCheck(index: index, key: key, revision: check["revision"]?.unsigned)
        }
        guard call.isWrite else { return }
        // Whoever answers 400 to 499 without saying so has refused the request itself.
        let refuses = 400..<500 ~= answer.status && answer.status != 408
        self.applied = document?["applied"]?.string.flatMap(Applied.init) ?? (refuses ? .no : .unknown)
    }

    /// Whether this answer is the service's decision about the request itself, which a repetition under the same
    /// idempotency key gets again.
    var isDecision: Bool { self.status.map { 400..<500 ~= $0 && $0 != 408 } ?? false }
}
