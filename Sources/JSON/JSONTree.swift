/// A JSON document as a tree, for clients that read the services' documents.
///
/// A member that is missing, null or of another type is nil: a client uses what a service reports, of any version of
/// the service.
public enum JSONTree: Sendable, Equatable {
    case null
    case bool(Bool)
    /// The number as written: a revision may have more digits than a double.
    case number(String)
    case string(String)
    case array([JSONTree])
    case object([Member])

    public struct Member: Sendable, Equatable {
        public var name: String
        public var value: JSONTree
    }

    /// Parses a whole document.
    ///
    /// - Throws: what is wrong, and where: what ``JSONTokenizer`` refuses, and numbers beyond those of a double.
    public init(parsing bytes: [UInt8]) throws(JSONSyntaxError) {
        self = try JSONTokenizer.read(bytes) { (tokenizer) throws(JSONSyntaxError) in
            let tree = try JSONTree(&tokenizer)
            try tokenizer.end()
            return tree
        }
    }

    private init(_ tokenizer: inout JSONTokenizer) throws(JSONSyntaxError) {
        switch try tokenizer.value() {
        case .beginObject:
            var members: [Member] = []
            while let name = try tokenizer.nextMemberName() {
                let name = String(decoding: tokenizer.bytes(of: name), as: UTF8.self)
                members.append(Member(name: name, value: try JSONTree(&tokenizer)))
            }
            self = .object(members)
        case .beginArray:
            var elements: [JSONTree] = []
            while try tokenizer.nextElement() { elements.append(try JSONTree(&tokenizer)) }
            self = .array(elements)
        case .scalar(.string(let text)): self = .string(String(decoding: text, as: UTF8.self))
        case .scalar(.number(let text)):
            guard let number = Double(text), number.isFinite else {
                throw JSONSyntaxError(.badNumber, offset: tokenizer.offset - text.utf8.count)
            }
            self = .number(text)
        case .scalar(.bool(let value)): self = .bool(value)
        case .scalar(.null): self = .null
        }
    }

    /// The value of a member; nil if this is not an object or has no such member. The first of two members counts.
    public subscript(name: String) -> JSONTree? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    public var double: Double? {
        if case .number(let text) = self { Double(text) } else { nil }
    }

    /// A whole number in the range of `Int`, also if it is written with a fraction or an exponent.
    public var int: Int? {
        if case .number(let text) = self { Int(text) ?? Double(text).flatMap { Int(exactly: $0) } } else { nil }
    }

    /// A whole number from 0 to 2^64 - 1, written as digits.
    public var unsigned: UInt64? {
        if case .number(let text) = self { UInt64(text) } else { nil }
    }

    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The elements of an array; empty if this is not an array.
    public var elements: [JSONTree] {
        if case .array(let elements) = self { elements } else { [] }
    }

    /// The members of an object; empty if this is not an object.
    public var members: [Member] {
        if case .object(let members) = self { members } else { [] }
    }
}
