import HTTP1
import JSON
import NIOHTTP1

/// One flat object in the JSON body of a request, as it was read: names that are expected, each at most once, and keys and
/// values as text or in Base64. For documents that are not on the fast path of a ``SetDocument``.
struct BodyObject {
    private enum Value {
        case scalar(JSONScalar)
        /// An array or object that the caller has read.
        case nested
    }

    /// How it is called in problems: `operations[3]`.
    let place: String
    private let applied: Problem.Applied?
    private var members: [(name: String, value: Value)] = []

    /// Reads the members of an object that has begun.
    /// - Parameters:
    ///   - nested: reads a member that is an array or object, and returns false for one that is not expected.
    /// - Throws: 400 `not_json`, `bad_json`.
    init(
        _ tokenizer: inout JSONTokenizer, place: String, names: [String], applied: Problem.Applied?,
        nested: (String, JSONTokenizer.Token, inout JSONTokenizer) throws(Problem) -> Bool = { _, _, _ in false }
    ) throws(Problem) {
        self.place = place
        self.applied = applied
        while let text = try Self.reading(applied, { () throws(JSONSyntaxError) in try tokenizer.nextMemberName() }) {
            let name = String(decoding: tokenizer.bytes(of: text), as: UTF8.self)
            guard names.contains(name) else {
                throw self.bad("has the unknown member \(name); allowed are \(names.joined(separator: ", "))")
            }
            guard !self.members.contains(where: { $0.name == name }) else { throw self.bad("has \(name) twice") }
            switch try Self.reading(applied, { () throws(JSONSyntaxError) in try tokenizer.value() }) {
            case .scalar(let scalar): self.members.append((name, .scalar(scalar)))
            case let token:
                guard try nested(name, token, &tokenizer) else {
                    throw self.bad("has a member \(name) of another type")
                }
                self.members.append((name, .nested))
            }
        }
    }

    /// Reads the whole body, which is one object.
    static func read(
        _ bytes: Span<UInt8>, names: [String], applied: Problem.Applied?,
        nested: (String, JSONTokenizer.Token, inout JSONTokenizer) throws(Problem) -> Bool = { _, _, _ in false }
    ) throws(Problem) -> BodyObject {
        // The tokenizer is used only during the call.
        try unsafe bytes.withUnsafeBufferPointer { (bytes) throws(Problem) in
            var tokenizer = unsafe JSONTokenizer(bytes)
            try Self.reading(applied) { () throws(JSONSyntaxError) in try tokenizer.beginObject() }
            let object = try BodyObject(&tokenizer, place: "the JSON", names: names, applied: applied, nested: nested)
            try Self.reading(applied) { () throws(JSONSyntaxError) in try tokenizer.end() }
            return object
        }
    }

    static func reading<Result>(
        _ applied: Problem.Applied?, _ body: () throws(JSONSyntaxError) -> Result
    ) throws(Problem) -> Result {
        do throws(JSONSyntaxError) { return try body() } catch {
            throw Problem(
                .badRequest, code: "not_json",
                detail: "The body is not the expected JSON: \(error.reason) at byte \(error.offset).", applied: applied)
        }
    }

    func bad(_ detail: String, code: String = "bad_json") -> Problem {
        Problem(.badRequest, code: code, detail: "In the body, \(self.place) \(detail).", applied: self.applied)
    }

    func has(_ name: String) -> Bool { self.members.contains { $0.name == name } }

    /// The names of its members that are neither arrays nor objects.
    var scalars: [String] {
        self.members.compactMap { if case .scalar = $0.value { $0.name } else { nil } }
    }

    private func scalar(_ name: String) -> JSONScalar? {
        guard case .scalar(let scalar)? = self.members.first(where: { $0.name == name })?.value else { return nil }
        return scalar
    }

    /// A text, or nil if it is missing.
    func text(_ name: String) throws(Problem) -> [UInt8]? {
        switch self.scalar(name) {
        case .string(let text): return text
        case nil: return nil
        default: throw self.bad("has a \(name) that is not a string")
        }
    }

    /// Bytes as text, or as `<name>_b64` in Base64; nil if both are missing.
    func bytes(_ name: String) throws(Problem) -> [UInt8]? {
        let (plain, encoded) = (try self.text(name), try self.text("\(name)_b64"))
        guard let encoded else { return plain }
        if plain != nil { throw self.bad("has both \(name) and \(name)_b64; send one") }
        guard let decoded = Base64.decode(encoded) else {
            throw self.bad("has a \(name)_b64 that is not Base64 (standard alphabet, with padding)")
        }
        return decoded
    }

    /// The key.
    /// - Throws: 400 `key_missing`, `key_empty`, `key_too_large`.
    func key(_ limits: KeyValueLimits) throws(Problem) -> [UInt8] {
        guard let key = try self.bytes("key") else {
            throw self.bad("has neither key nor key_b64", code: "key_missing")
        }
        try limits.check(keyBytes: key.count, applied: self.applied)
        return key
    }

    func bool(_ name: String) throws(Problem) -> Bool? {
        switch self.scalar(name) {
        case .bool(let value): return value
        case nil: return nil
        default: throw self.bad("has a \(name) that is neither true nor false")
        }
    }

    func integer(_ name: String) throws(Problem) -> Int64? {
        switch self.scalar(name) {
        case .number(let digits):
            guard let number = Int64(digits) else {
                throw self.bad("has a \(name) that is not a signed 64-bit integer")
            }
            return number
        case nil: return nil
        default: throw self.bad("has a \(name) that is not a number")
        }
    }

    func revision(_ name: String) throws(Problem) -> UInt64? {
        guard let scalar = self.scalar(name) else { return nil }
        guard case .number(let digits) = scalar, let revision = EntityTag.number(digits.utf8.span) else {
            throw self.bad("has a \(name) that is not a revision: digits alone, from 1 to 18446744073709551615")
        }
        return revision
    }

    /// `ttl_ms` or `expires_at`.
    /// - Throws: 400 `bad_expiry`.
    func expiry() throws(Problem) -> RequestedExpiry {
        try RequestedExpiry(ttl: self.sent("ttl_ms"), time: self.sent("expires_at"))
    }

    private func sent(_ name: String) -> RequestedExpiry.Sent? {
        guard self.has(name) else { return nil }
        guard case .number(let digits)? = self.scalar(name) else { return .notANumber }
        return RequestedExpiry.Sent(digits.utf8.span)
    }

    /// `if_revision` or `if_absent`, or what a header field said.
    /// - Throws: 400 `bad_precondition`.
    func precondition(orElse header: Precondition) throws(Problem) -> Precondition {
        let (wanted, absent) = (self.scalar("if_revision"), self.scalar("if_absent"))
        if wanted == nil, absent == nil { return header }
        guard header == .none, wanted == nil || absent == nil else {
            throw Precondition.bad(
                "A write has at most one condition; send one header field, if_revision or if_absent.")
        }
        if let wanted {
            guard case .number(let digits) = wanted, let revision = EntityTag.number(digits.utf8.span) else {
                throw Precondition.bad(Precondition.badRevision)
            }
            return .revision(revision)
        }
        guard absent == .bool(true) else { throw Precondition.bad(Precondition.badAbsence) }
        return .absent
    }
}
