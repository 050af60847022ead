import HTTP1
import JSON

/// The JSON body of a set: one flat object with `key` or `key_b64`, `value` or `value_b64`, and, if the set is conditional,
/// `if_revision` or `if_absent`, and if its key expires, `ttl_ms` or `expires_at`. Texts without escapes are used where they are in the body.
struct SetDocument {
    private static let maxMembers = 8

    private struct Member {
        var name = JSONText.empty
        /// Nil for a value that is not a string.
        var text: JSONText?
        /// What a value that is not a string means as a condition, and as an expiry time.
        var precondition = Precondition.none
        var expiry = RequestedExpiry.Sent.notANumber
    }

    /// Calls `body` with key, value, condition and expiry; key and value are valid only during the call.
    /// - Throws: 400 `not_json`, `bad_json`, `bad_precondition`, `bad_expiry`, `key_missing`, `value_missing`.
    static func read(
        _ bytes: UnsafeBufferPointer<UInt8>,
        _ body: (
            _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ precondition: Precondition,
            _ expiry: RequestedExpiry
        ) throws(Problem) -> Void
    ) throws(Problem) {
        var tokenizer = unsafe JSONTokenizer(bytes)
        var received = Members(repeating: Member())
        let count: Int
        do throws(JSONSyntaxError) {
            count = try self.members(&tokenizer, into: &received)
        } catch {
            throw SetRequest.badRequest(
                "not_json", "The body is not the expected JSON: \(error.reason) at byte \(error.offset).")
        }
        // An element of the array itself would be read from a copy of all of it.
        let members = received.span
        // By `index(of:_:)`; each name occurs at most once.
        var places = InlineArray<8, Int>(repeating: -1)
        for place in 0..<count {
            guard let index = self.index(of: members[place].name, tokenizer) else {
                throw SetRequest.badRequest(
                    "bad_json",
                    """
                    The JSON has an unknown member; allowed are key or key_b64, value or value_b64, if_revision or \
                    if_absent, and ttl_ms or expires_at.
                    """)
            }
            places[index] = place
        }
        let precondition = try self.precondition(places[4], places[5], members)
        let expiry = try self.expiry(places[6], places[7], members)
        guard let key = try self.field("key", places[0], places[1], members) else {
            throw SetRequest.badRequest("key_missing", "The JSON has neither key nor key_b64.")
        }
        try unsafe self.withBytes(of: key, "key", tokenizer) { (key) throws(Problem) in
            guard let value = try self.field("value", places[2], places[3], members) else {
                throw SetRequest.badRequest("value_missing", "The JSON has neither value nor value_b64.")
            }
            try unsafe self.withBytes(of: value, "value", tokenizer) { (value) throws(Problem) in
                try unsafe body(key, value, precondition, expiry)
            }
        }
    }

    /// The place of a member's name among the names; nil if it is unknown.
    private static func index(of name: JSONText, _ tokenizer: borrowing JSONTokenizer) -> Int? {
        if tokenizer.isEqual(name, "key") { return 0 }
        if tokenizer.isEqual(name, "value") { return 2 }
        if tokenizer.isEqual(name, "key_b64") { return 1 }
        if tokenizer.isEqual(name, "value_b64") { return 3 }
        if tokenizer.isEqual(name, "if_revision") { return 4 }
        if tokenizer.isEqual(name, "if_absent") { return 5 }
        if tokenizer.isEqual(name, "ttl_ms") { return 6 }
        return tokenizer.isEqual(name, "expires_at") ? 7 : nil
    }

    /// - Returns: the number of members.
    private static func members(
        _ tokenizer: inout JSONTokenizer, into members: inout Members
    ) throws(JSONSyntaxError) -> Int {
        var count = 0
        try tokenizer.beginObject()
        while let name = try tokenizer.nextMemberName() {
            let offset = tokenizer.lastNameOffset
            for other in 0..<count where tokenizer.areEqual(members[other].name, name) {
                let text = String(decoding: tokenizer.bytes(of: name), as: UTF8.self)
                throw JSONSyntaxError(.duplicateName(text), offset: offset)
            }
            guard count < self.maxMembers else {
                throw JSONSyntaxError(.tooManyMembers(limit: self.maxMembers), offset: offset)
            }
            members[count].name = name
            members[count].text = try tokenizer.textIfString()
            if members[count].text == nil {
                let value = try tokenizer.scalar()
                members[count].precondition = Precondition(member: value)
                if case .number(let digits) = value { members[count].expiry = .init(digits.utf8.span) }
            }
            count += 1
        }
        try tokenizer.end()
        return count
    }

    private typealias Members = InlineArray<8, Member>
    private typealias Field = (text: JSONText, isBase64: Bool)

    /// One field, given as text or, as `<name>_b64`, in Base64; nil if it is missing.
    private static func field(
        _ name: StaticString, _ plain: Int, _ encoded: Int, _ members: borrowing Span<Member>
    ) throws(Problem) -> Field? {
        if plain < 0, encoded < 0 { return nil }
        if plain >= 0, encoded >= 0 {
            throw SetRequest.badRequest("bad_json", "The JSON has both \(name) and \(name)_b64; send one.")
        }
        guard let text = members[max(plain, encoded)].text else {
            throw SetRequest.badRequest("bad_json", "\(name)\(encoded < 0 ? "" : "_b64") is not a string.")
        }
        return (text, encoded >= 0)
    }

    private static func precondition(
        _ revision: Int, _ absent: Int, _ members: borrowing Span<Member>
    ) throws(Problem) -> Precondition {
        if revision < 0, absent < 0 { return .none }
        if revision >= 0, absent >= 0 {
            throw Precondition.bad("A write has at most one condition; send if_revision or if_absent, not both.")
        }
        switch members[max(revision, absent)].precondition {
        case .revision(let wanted) where absent < 0: return .revision(wanted)
        case .absent where revision < 0: return .absent
        default:
            throw Precondition.bad(
                absent < 0 ? Precondition.badRevision : Precondition.badAbsence)
        }
    }

    private static func expiry(
        _ ttl: Int, _ time: Int, _ members: borrowing Span<Member>
    ) throws(Problem) -> RequestedExpiry {
        if ttl < 0, time < 0 { return .never }
        return try RequestedExpiry(
            ttl: ttl < 0 ? nil : members[ttl].expiry, time: time < 0 ? nil : members[time].expiry)
    }

    private static func withBytes(
        of field: Field, _ name: StaticString, _ tokenizer: borrowing JSONTokenizer,
        _ body: (UnsafeRawBufferPointer) throws(Problem) -> Void
    ) throws(Problem) {
        if !field.isBase64 { return try unsafe tokenizer.withBytes(of: field.text, body) }
        guard let decoded = Base64.decode(tokenizer.bytes(of: field.text)) else {
            throw SetRequest.badRequest("bad_json", "\(name)_b64 is not Base64 (standard alphabet, with padding).")
        }
        try unsafe decoded.span.withUnsafeBytes { (bytes) throws(Problem) in try unsafe body(bytes) }
    }
}

extension Precondition {
    /// The value of `if_revision` or `if_absent`; `.none` if it is neither's.
    fileprivate init(member value: JSONScalar) {
        switch value {
        case .bool(true): self = .absent
        case .number(let digits): self = EntityTag.number(digits.utf8.span).map(Self.revision) ?? .none
        case .bool, .string, .null: self = .none
        }
    }
}
