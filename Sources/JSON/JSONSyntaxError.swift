/// Why bytes are not the JSON that is expected.
public struct JSONSyntaxError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Reason: Equatable, Sendable {
        case byteOrderMark
        case unexpectedEnd
        case notAnObject
        case nestedValue
        case nameExpected
        case colonExpected
        case commaOrEndExpected
        case commaOrArrayEndExpected
        case valueExpected
        case badNumber
        case badEscape
        case loneSurrogate
        case controlCharacter
        case invalidUTF8
        case duplicateName(String)
        case tooManyMembers(limit: Int)
        case tooDeep(limit: Int)
        case trailingData
    }

    public let reason: Reason
    /// Offset of the error in bytes.
    public let offset: Int

    public init(_ reason: Reason, offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "\(self.reason.description) at byte \(self.offset)" }
}

extension JSONSyntaxError.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .byteOrderMark: "a byte order mark"
        case .unexpectedEnd: "the text ends early"
        case .notAnObject: "not a JSON object"
        case .nestedValue: "an object or array where a plain value is expected"
        case .nameExpected: "a member name in quotes is expected"
        case .colonExpected: "':' is expected after a member name"
        case .commaOrEndExpected: "',' or '}' is expected after a value"
        case .commaOrArrayEndExpected: "',' or ']' is expected after a value"
        case .valueExpected: "a value is expected"
        case .badNumber: "not a JSON number"
        case .badEscape: "an unknown escape in a string"
        case .loneSurrogate: "half of a surrogate pair in a string"
        case .controlCharacter: "a control character in a string must be escaped"
        case .invalidUTF8: "a string is not UTF-8"
        case .duplicateName(let name): "the member name \"\(name)\" occurs twice"
        case .tooManyMembers(let limit): "more than \(limit) members"
        case .tooDeep(let limit): "more than \(limit) arrays and objects within each other"
        case .trailingData: "text after the end of the document"
        }
    }
}
