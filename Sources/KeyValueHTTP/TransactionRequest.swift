import AccessControl
public import HTTP1
public import HTTPServing
import JSON
import NIOCore
import NIOHTTP1

/// `{"checks":[…],"operations":[…]}`.
public struct TransactionRequest: Sendable, Equatable {
    public struct Check: Sendable, Equatable {
        public enum Condition: Sendable, Equatable {
            case absent, present
            case revision(UInt64)
            case value([UInt8])
        }

        public let key: [UInt8]
        public let condition: Condition
    }

    public enum Operation: Sendable, Equatable {
        case set(key: [UInt8], value: [UInt8], RequestedExpiry)
        case delete(key: [UInt8])
        case get(key: [UInt8])

        var key: [UInt8] {
            switch self {
            case .set(let key, _, _), .delete(let key), .get(let key): key
            }
        }

        var reads: Bool { if case .get = self { true } else { false } }
    }

    /// The most checks and operations together.
    public static let maximumCount = 128
    public static let maximumBodyBytes = 1 << 20

    public private(set) var checks: [Check] = []
    public private(set) var operations: [Operation] = []

    /// Those of the checks and the operations; one may be there several times.
    public var keys: [[UInt8]] { self.checks.map(\.key) + self.operations.map(\.key) }

    /// - Throws: 400 `not_json`, `bad_json`, `bad_transaction`, `bad_expiry`, `key_missing`, `key_empty`, `key_too_large`,
    ///   `value_missing`; 403 `forbidden`; 413 `value_too_large`; 415 `unsupported_media_type`. Each has `applied` no.
    public init(of request: HTTPRequest, limits: KeyValueLimits) throws(Problem) {
        try JSONBody.check(request, applied: .no)
        let body = request.body
        try self.init(body.readableBytesUInt8Span, limits: limits)
        // Whether a check holds says what is in the store.
        if self.checks.count > 0 || self.operations.contains(where: \.reads) {
            try request.require(.read, applied: .no)
        }
        for check in self.checks { try request.checkAccess(to: check.key, applied: .no) }
        for operation in self.operations { try request.checkAccess(to: operation.key, applied: .no) }
    }

    init(_ body: Span<UInt8>, limits: KeyValueLimits) throws(Problem) {
        var (checks, operations): ([Check], [Operation]) = ([], [])
        let object = try BodyObject.read(body, names: ["checks", "operations"], applied: .no) {
            name, token, tokenizer throws(Problem) in
            guard case .beginArray = token else { return false }
            try JSONBody.forEachObject(&tokenizer, in: name, applied: .no) { place, tokenizer throws(Problem) in
                guard checks.count + operations.count < Self.maximumCount else {
                    throw Self.bad("has more than \(Self.maximumCount) checks and operations")
                }
                if name == "checks" {
                    checks.append(try Check(&tokenizer, place, limits))
                } else {
                    operations.append(try Operation(&tokenizer, place, limits))
                }
            }
            return true
        }
        if operations.isEmpty { throw Self.bad("has no operations") }
        // What was not read must not be taken for a transaction without checks.
        if let name = object.scalars.first { throw object.bad("has a member \(name) that is not an array") }
        (self.checks, self.operations) = (checks, operations)
    }

    private static func bad(_ detail: String) -> Problem {
        Problem(.badRequest, code: "bad_transaction", detail: "The transaction \(detail).", applied: .no)
    }
}

extension TransactionRequest.Check {
    private static let names = ["key", "key_b64", "revision", "absent", "present", "value", "value_b64"]

    fileprivate init(_ tokenizer: inout JSONTokenizer, _ place: String, _ limits: KeyValueLimits) throws(Problem) {
        let object = try BodyObject(&tokenizer, place: place, names: Self.names, applied: .no)
        self.key = try object.key(limits)
        var conditions: [Condition] = []
        if let revision = try object.revision("revision") { conditions.append(.revision(revision)) }
        if let value = try object.bytes("value") {
            try limits.check(valueBytes: value.count)
            conditions.append(.value(value))
        }
        for (name, condition) in [("absent", Condition.absent), ("present", .present)] {
            guard let flag = try object.bool(name) else { continue }
            guard flag else { throw object.bad("has \(name) false; leave it out, or send the opposite as true") }
            conditions.append(condition)
        }
        guard conditions.count == 1 else {
            throw object.bad(
                "needs one of revision, absent, present and value or value_b64, and has \(conditions.count)")
        }
        self.condition = conditions[0]
    }
}

extension TransactionRequest.Operation {
    private static let names = ["op", "key", "key_b64", "value", "value_b64", "ttl_ms", "expires_at"]

    fileprivate init(_ tokenizer: inout JSONTokenizer, _ place: String, _ limits: KeyValueLimits) throws(Problem) {
        let object = try BodyObject(&tokenizer, place: place, names: Self.names, applied: .no)
        let name = String(decoding: try object.text("op") ?? [], as: UTF8.self)
        switch name {
        case "set":
            let key = try object.key(limits)
            guard let value = try object.bytes("value") else {
                throw object.bad("has neither value nor value_b64", code: "value_missing")
            }
            try limits.check(valueBytes: value.count)
            self = .set(key: key, value: value, try object.expiry())
        case "delete", "get":
            for other in Self.names[3...] where object.has(other) { throw object.bad("is a \(name) and has \(other)") }
            let key = try object.key(limits)
            self = name == "get" ? .get(key: key) : .delete(key: key)
        default: throw object.bad("needs an op: set, delete or get", code: "bad_transaction")
        }
    }
}
