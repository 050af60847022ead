/// A JSON object whose members are strings, numbers, Booleans or null, read strictly (RFC 8259).
///
/// What other readers let pass, each in its own way, is refused here: a name twice, text behind the object, half a
/// surrogate pair, a control character in a string, a byte order mark, bytes that are not UTF-8. Arrays and objects as
/// values are refused too, so there is no depth to limit.
package struct FlatJSONObject: Sendable {
    private var members: [(name: [UInt8], value: JSONScalar)] = []

    /// Parses a whole document.
    ///
    /// - Parameters:
    ///   - maxMembers: more are refused. Names are compared one by one, so keep this small.
    ///   - skipsNestedValues: members whose values are arrays or objects are passed over instead of refused.
    /// - Throws: what is wrong, and where.
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

    /// The value of a member, nil when there is none of this name. Names are compared as bytes.
    package subscript(name: String) -> JSONScalar? {
        let bytes = name.utf8
        return self.members.first { $0.name.elementsEqual(bytes) }?.value
    }
}
