/// A JSON object whose members are strings, numbers, Booleans or null, parsed strictly (RFC 8259).
///
/// Input that parsers treat differently is refused: a repeated name, text after the object, half a surrogate pair, a
/// control character in a string, a byte order mark, invalid UTF-8. Arrays and objects as values are refused too, so
/// there is no depth to limit.
package struct FlatJSONObject: Sendable {
    private var members: [(name: [UInt8], value: JSONScalar)] = []

    /// Parses a whole document.
    ///
    /// - Parameters:
    ///   - maxMembers: more members are refused. Names are compared one by one, so keep this small.
    ///   - skipsNestedValues: members whose values are arrays or objects are skipped instead of refused.
    /// - Throws: the error and its position.
    package init(
        parsing bytes: [UInt8],
        maxMembers: Int = 32,
        skipsNestedValues: Bool = false
    ) throws(JSONSyntaxError) {
        var reader = JSONTextReader(bytes)
        try reader.beginObject()
        var isFirst = true
        while let name = try reader.nextMemberName(isFirst: isFirst) {
            let offset = reader.lastNameOffset
            guard !self.members.contains(where: { $0.name == name }) else {
                throw JSONSyntaxError(.duplicateName(String(decoding: name, as: UTF8.self)), offset: offset)
            }
            guard self.members.count < maxMembers else {
                throw JSONSyntaxError(.tooManyMembers(limit: maxMembers), offset: offset)
            }
            isFirst = false
            if skipsNestedValues, try reader.skipNestedValue() { continue }
            self.members.append((name, try reader.scalar()))
        }
        try reader.end()
    }

    /// The names, in order.
    package var names: [String] { self.members.map { String(decoding: $0.name, as: UTF8.self) } }

    /// The value of a member; nil if there is none with this name. Names are compared as bytes.
    package subscript(name: String) -> JSONScalar? {
        let bytes = name.utf8
        return self.members.first { $0.name.elementsEqual(bytes) }?.value
    }
}
