/// A JSON document as a tree, for reading the services' `/admin` documents.
///
/// A member that is missing, null or of another type reads as nil: a dashboard shows what a service reports and says
/// "not reported" of the rest, whatever version the service is.
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
    /// - Throws: what is wrong, and where; documents nested deeper than ``JSONTreeReader/depthLimit`` are refused.
    package init(parsing bytes: [UInt8]) throws(JSONTreeError) {
        var reader = JSONTreeReader(bytes)
        self = try reader.document()
    }

    /// The value of a member; nil when this is no object or has none of the name. Of two the first counts.
    package subscript(name: String) -> JSONTree? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    package var double: Double? {
        if case .number(let number) = self { number } else { nil }
    }

    /// A whole number that fits.
    package var int: Int? {
        if case .number(let number) = self { Int(exactly: number) } else { nil }
    }

    package var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The elements of an array; none when this is no array.
    package var elements: [JSONTree] {
        if case .array(let elements) = self { elements } else { [] }
    }

    /// The members of an object; none when this is no object.
    package var members: [Member] {
        if case .object(let members) = self { members } else { [] }
    }
}

/// Why a text is no JSON document.
package struct JSONTreeError: Error, Equatable, CustomStringConvertible {
    /// In bytes from the beginning.
    package let offset: Int
    package let reason: String

    package var description: String { "\(self.reason) at byte \(self.offset)" }
}
