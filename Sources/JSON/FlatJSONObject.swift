/// A JSON object whose members are strings, numbers, Booleans or null, parsed strictly (RFC 8259).
///
/// What other readers let pass, each in its own way, is refused: what ``JSONTokenizer`` refuses, and a name that occurs
/// twice. Arrays and objects as values are refused too, unless they are to be skipped.
public struct FlatJSONObject: Sendable {
    private var members: [(name: [UInt8], value: JSONScalar)] = []

    /// Parses a whole document.
    ///
    /// - Parameters:
    ///   - maxMembers: more are refused. Names are compared one by one, so keep this small.
    ///   - skipsNestedValues: members whose values are arrays or objects are skipped instead of refused.
    /// - Throws: what is wrong, and where.
    public init(
        parsing bytes: [UInt8],
        maxMembers: Int = 32,
        skipsNestedValues: Bool = false
    ) throws(JSONSyntaxError) {
        self.members = try JSONTokenizer.read(bytes) { (tokenizer) throws(JSONSyntaxError) in
            try Self.members(&tokenizer, maxMembers: maxMembers, skipsNestedValues: skipsNestedValues)
        }
    }

    private static func members(
        _ tokenizer: inout JSONTokenizer, maxMembers: Int, skipsNestedValues: Bool
    ) throws(JSONSyntaxError) -> [(name: [UInt8], value: JSONScalar)] {
        var members: [(name: [UInt8], value: JSONScalar)] = []
        try tokenizer.beginObject()
        while let text = try tokenizer.nextMemberName() {
            let name = tokenizer.bytes(of: text)
            let offset = tokenizer.lastNameOffset
            guard !members.contains(where: { $0.name == name }) else {
                throw JSONSyntaxError(.duplicateName(String(decoding: name, as: UTF8.self)), offset: offset)
            }
            guard members.count < maxMembers else {
                throw JSONSyntaxError(.tooManyMembers(limit: maxMembers), offset: offset)
            }
            guard skipsNestedValues else {
                members.append((name, try tokenizer.scalar()))
                continue
            }
            let value = try tokenizer.value()
            if case .scalar(let scalar) = value { members.append((name, scalar)) }
            try tokenizer.skip(value)
        }
        try tokenizer.end()
        return members
    }

    /// The names, in order.
    public var names: [String] { self.members.map { String(decoding: $0.name, as: UTF8.self) } }

    /// The value of a member; nil if there is none with this name. Names are compared as bytes.
    public subscript(name: String) -> JSONScalar? {
        let bytes = name.utf8
        return self.members.first { $0.name.elementsEqual(bytes) }?.value
    }
}
