import HistoryChecker
import TestSupport

/// An operation of a history as a request of the API, and its answer as one of the history.
struct HistoryRequest {
    enum Form: CaseIterable { case get, mget, set, delete, incr, txn }

    enum Outcome {
        case answered(HistoryOperation.Answer, isReplay: Bool)
        /// It may have been carried out.
        case unknown
        /// It was not carried out, or it was a read that failed.
        case refused
        /// Such an answer must not be.
        case fault(String)
    }

    let form: Form
    let operation: HistoryOperation

    var isWrite: Bool { self.form != .get && self.form != .mget }

    static func name(_ key: Int) -> String { "group \(key / 3) key \(key % 3)" }

    /// - Throws: what the connection throws.
    func send(_ connection: HTTPConnection, _ front: Front, idempotencyKey: String?) throws -> HTTPAnswer {
        var headers = idempotencyKey.map { [("Idempotency-Key", $0)] } ?? []
        let key = self.operation.steps[0].key
        let target = "/\(front.rawValue)/\(self.form)"
        let query = "?key=\(KeyValueClient.encoded(Array(Self.name(key).utf8)))"
        switch self.form {
        case .get: return try connection.request("GET", target + query)
        case .delete:
            if let check = self.operation.checks.first {
                headers.append(("If-Match", Self.revision(check).map { "\"\($0)\"" } ?? "*"))
            }
            return try connection.request("DELETE", target + query, headers: headers)
        case .mget, .set, .incr, .txn:
            return try connection.request(
                "POST", target, headers: headers + [("Content-Type", "application/json")],
                body: Array(self.body(key).utf8))
        }
    }

    private func body(_ key: Int) -> String {
        let condition =
            self.operation.checks.first.map { check in
                Self.revision(check).map { #","if_revision":\#($0)"# } ?? #","if_absent":true"#
            } ?? ""
        switch (self.form, self.operation.steps[0]) {
        case (.set, .set(_, let value)): return #"{"key":"\#(Self.name(key))","value":"\#(value)"\#(condition)}"#
        case (.incr, .increment(_, let delta)): return #"{"key":"\#(Self.name(key))","delta":\#(delta)\#(condition)}"#
        case (.mget, _):
            let keys = self.operation.steps.map { "\"\(Self.name($0.key))\"" }
            return #"{"keys":[\#(keys.joined(separator: ","))]}"#
        default:
            let checks = self.operation.checks.map { #"{"key":"\#(Self.name($0.key))",\#(Self.text($0.condition))}"# }
            let steps = self.operation.steps.map { Self.text($0) }
            return #"{"checks":[\#(checks.joined(separator: ","))],"operations":[\#(steps.joined(separator: ","))]}"#
        }
    }

    private static func revision(_ check: HistoryOperation.Check) -> UInt64? {
        if case .revision(let revision) = check.condition { revision } else { nil }
    }

    private static func text(_ condition: HistoryOperation.Check.Condition) -> String {
        switch condition {
        case .absent: #""absent":true"#
        case .present: #""present":true"#
        case .revision(let revision): #""revision":\#(revision)"#
        case .value(let value): #""value":"\#(value)""#
        }
    }

    private static func text(_ step: HistoryOperation.Step) -> String {
        let key = Self.name(step.key)
        return switch step {
        case .get: #"{"op":"get","key":"\#(key)"}"#
        case .set(_, let value): #"{"op":"set","key":"\#(key)","value":"\#(value)"}"#
        case .delete: #"{"op":"delete","key":"\#(key)"}"#
        case .increment: preconditionFailure("a transaction has no counters")
        }
    }

    func outcome(_ answer: HTTPAnswer) -> Outcome {
        guard let json = try? answer.json else { return .fault("\(answer.status): \(answer.text)") }
        let revision = json.integer("revision").map { UInt64($0) }
        func answered(_ meaning: HistoryOperation.Answer?) -> Outcome {
            guard let meaning else { return .fault("\(self.operation) got \(answer.text)") }
            return .answered(meaning, isReplay: answer["Idempotency-Replayed"] == "true")
        }
        switch (answer.status, json.string("code")) {
        case (200, _):
            return answered(self.results(json).map { .done($0, revision: self.form == .get ? nil : revision) })
        case (404, "key_not_found") where self.form == .get: return answered(.done([.value(nil)], revision: nil))
        case (412, "precondition_failed") where self.operation.checks.count == 1:
            return answered(.refused([0: revision]))
        case (409, "not_a_number") where self.form == .incr: return answered(.notANumber)
        case (409, "checks_failed"):
            var failed: [Int: UInt64?] = [:]
            for entry in json.objects("failed") {
                guard let check = entry.integer("check") else { return answered(nil) }
                failed.updateValue(entry.integer("revision").map { UInt64($0) }, forKey: check)
            }
            return answered(.refused(failed))
        default:
            switch json.string("applied") {
            case "no": return answer.status >= 500 ? .refused : .fault("\(self.operation) got \(answer.text)")
            case "unknown": return .unknown
            default: return self.isWrite || answer.status < 500 ? answered(nil) : .refused
            }
        }
    }

    /// Nil if a member is missing.
    private func results(_ json: JSONObject) -> [HistoryOperation.Result]? {
        switch self.form {
        case .get:
            guard let value = json.string("value"), let revision = json.integer("revision") else { return nil }
            return [.value(.init(value, UInt64(revision)))]
        case .set: return json.integer("revision") == nil ? nil : [.set]
        case .delete: return json.bool("deleted").map { [.deleted($0)] }
        case .incr: return json.integer("number").map { [.number(Int64($0))] }
        case .mget, .txn:
            let entries = json.objects(self.form == .mget ? "values" : "results")
            guard entries.count == self.operation.steps.count, json.integer("revision") != nil else { return nil }
            let results = zip(self.operation.steps, entries).compactMap { step, entry -> HistoryOperation.Result? in
                switch step {
                case .get:
                    entry.bool("found").map { found in
                        .value(
                            found ? .init(entry.string("value"), entry.integer("revision").map { UInt64($0) }) : nil)
                    }
                case .set: .set
                case .delete: entry.bool("deleted").map { .deleted($0) }
                case .increment: nil
                }
            }
            return results.count == entries.count ? results : nil
        }
    }
}
