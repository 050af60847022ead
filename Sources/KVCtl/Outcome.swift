import JSON
import KeyValueClient
import SystemSupport

/// How a command ended: its exit code.
enum Outcome: Int32, CaseIterable {
    case success = 0
    case failure = 1
    case notFound = 2
    case conditionNotMet = 3
    case refused = 4
    case unknown = 5
    case noConnection = 6
    case damaged = 7
    /// The exit code of a program that SIGPIPE ends.
    case readerGone = 141

    init(_ error: KeyValueError) {
        if error.applied == .unknown {
            self = .unknown
        } else if ["precondition_failed", "checks_failed"].contains(error.code) {
            self = .conditionNotMet
        } else if error.code == KeyValueError.cannotConnect {
            self = .noConnection
        } else {
            self = error.applied == .no ? .refused : .failure
        }
    }

    var meaning: String {
        switch self {
        case .success: "success"
        case .failure: "wrong use of the command line, or any other error"
        case .notFound: "the key does not exist"
        case .conditionNotMet: "a condition or check was not met; nothing was written"
        case .refused: "the write was refused; nothing was written"
        case .unknown: "unknown whether the write was carried out"
        case .noConnection: "no connection to the service; nothing was written"
        case .damaged: "the backup is damaged or incomplete; nothing was restored"
        case .readerGone: "the reader of standard output closed the pipe"
        }
    }

    /// The lines for `--help`, without a newline at the end.
    static var table: String {
        self.allCases.map { outcome in
            let code = "\(outcome.rawValue)"
            return "  \(code)\(String(repeating: " ", count: 7 - code.count))\(outcome.meaning)"
        }.joined(separator: "\n")
    }
}

/// Why a command ends early.
struct CommandFailure: Error {
    let outcome: Outcome
    /// For standard error; nil if there is nothing to say.
    let message: String?

    init(_ outcome: Outcome, _ message: String?) {
        self.outcome = outcome
        self.message = message.map { "kvctl: \($0)" }
    }

    /// - Parameter place: where, such as a line of a file.
    init(_ error: KeyValueError, isJSON: Bool, place: String? = nil) {
        self.outcome = Outcome(error)
        if isJSON {
            self.message = Self.document(error, place)
        } else {
            self.message = "kvctl: \(place.map { "\($0): " } ?? "")\(error)\(Self.failed(error))"
        }
    }

    private static func failed(_ error: KeyValueError) -> String {
        error.failedChecks.map { check in
            let state = check.revision.map { "has revision \($0)" } ?? "does not exist"
            return "\n  check \(check.index): \(RecordText.quoted(check.key)) \(state)"
        }.joined()
    }

    private static func document(_ error: KeyValueError, _ place: String?) -> String {
        var writer = JSONWriter()
        writer.object { document in
            document.member("code", error.code)
            document.member("detail", error.detail)
            if let place { document.member("place", place) }
            if let status = error.status { document.member("status", status) }
            if let requestID = error.requestID { document.member("request_id", requestID) }
            if let applied = error.applied { document.member("applied", applied.rawValue) }
            if let revision = error.revision { document.member("revision", revision) }
            if let oldest = error.oldestRevision { document.member("oldest_revision", oldest) }
            if error.failedChecks.isEmpty { return }
            document.member(
                "failed",
                array: { failed in
                    for check in error.failedChecks {
                        failed.element(object: { object in
                            object.member("check", check.index)
                            object.member("key", orBase64: "key_b64", check.key)
                            if let revision = check.revision { object.member("revision", revision) }
                        })
                    }
                })
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
