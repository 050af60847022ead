/// What is wrong with a line of an operator's file that has one entry a line: access keys, or routes. Contains no more of
/// the line than the name of its entry.
public struct EntryFailure: Error, Equatable, CustomStringConvertible {
    /// From 1.
    public let line: Int
    /// In bytes, from 1.
    public let column: Int
    /// Nil if the name is not known, or is none.
    public let name: String?
    public let reason: String

    public init(line: Int, column: Int, name: String?, reason: String) {
        self.line = line
        self.column = column
        self.name = name
        self.reason = reason
    }

    public var description: String {
        "line \(self.line), column \(self.column)\(self.name.map { " (\($0))" } ?? ""): \(self.reason)"
    }
}

/// A part of a line without blanks, and its column.
public struct EntryWord {
    /// In bytes, from 1.
    public let column: Int
    public let bytes: ArraySlice<UInt8>

    public init(column: Int, bytes: ArraySlice<UInt8>) {
        self.column = column
        self.bytes = bytes
    }

    /// The words of a line; none of an empty line and of a comment, which begins with `#`.
    public static func words(_ line: ArraySlice<UInt8>) -> [EntryWord] {
        let words = line.split(whereSeparator: self.isBlank)
        if words.first?.first == UInt8(ascii: "#") { return [] }
        return words.map { EntryWord(column: $0.startIndex - line.startIndex + 1, bytes: $0) }
    }

    /// The place of the first byte of a line that is neither a blank nor a printable ASCII character.
    public static func unprintable(in line: ArraySlice<UInt8>) -> EntryWord? {
        line.firstIndex { !self.isBlank($0) && !(0x21...0x7E).contains($0) }.map {
            EntryWord(column: $0 - line.startIndex + 1, bytes: [])
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    /// Whether a text may name an entry: 1 to 64 of `[A-Za-z0-9._-]`.
    public static func isName(_ text: some Collection<UInt8>) -> Bool {
        (1...64).contains(text.count)
            && text.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "._-".utf8.contains(byte)
                }
            }
    }

    /// What follows `beginning`; nil if it begins otherwise.
    public func rest(after beginning: String) -> EntryWord? {
        guard self.bytes.starts(with: beginning.utf8) else { return nil }
        let count = beginning.utf8.count
        return EntryWord(column: self.column + count, bytes: self.bytes.dropFirst(count))
    }

    /// The parts between commas.
    public var parts: [EntryWord] {
        var column = self.column
        return self.bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { part in
            defer { column += part.count + 1 }
            return EntryWord(column: column, bytes: part)
        }
    }

    /// - Parameter advice: what to write in place of an empty prefix.
    /// - Returns: the prefix that it is, percent-decoded, or what is wrong with it.
    public func prefix(inPlaceOfEmpty advice: String) -> Result<[UInt8], KeyPrefix.Failure> {
        guard let prefix = KeyPrefix.bytes(self.bytes) else {
            return .failure(.init("a % of a prefix is not followed by two hexadecimal digits"))
        }
        guard (1...KeyPrefix.maximumBytes).contains(prefix.count) else {
            return .failure(.init("a prefix has 1 to \(KeyPrefix.maximumBytes) bytes; \(advice)"))
        }
        return .success(prefix)
    }
}
