/// A JSON document as a tree, for reading the services' `/admin` documents.
///
/// A member that is missing, null or of another type is nil: a dashboard shows what a service reports, and "not
/// reported" for the rest, for any version of the service.
package enum JSONTree: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONTree])
    case object([Member])

    package struct Member: Sendable, Equatable {
        package var name: String
        package var value: JSONTree
    }

    /// Parses a whole document.
    ///
    /// - Throws: the error and its position; documents nested deeper than ``JSONTreeReader/depthLimit`` are refused.
    package init(parsing bytes: [UInt8]) throws(JSONTreeError) {
        var reader = JSONTreeReader(bytes)
        self = try reader.document()
    }

    /// The value of a member; nil if this is not an object or has no such member. The first of two members counts.
    package subscript(name: String) -> JSONTree? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    package var double: Double? {
        if case .number(let number) = self { number } else { nil }
    }

    /// A whole number in the range of `Int`.
    package var int: Int? {
        if case .number(let number) = self { Int(exactly: number) } else { nil }
    }

    package var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The elements of an array; empty if this is not an array.
    package var elements: [JSONTree] {
        if case .array(let elements) = self { elements } else { [] }
    }

    /// The members of an object; empty if this is not an object.
    package var members: [Member] {
        if case .object(let members) = self { members } else { [] }
    }
}

/// Why a text is not a JSON document.
package struct JSONTreeError: Error, Equatable, CustomStringConvertible {
    /// In bytes from the start.
    package let offset: Int
    package let reason: String

    package var description: String { "\(self.reason) at byte \(self.offset)" }
}
