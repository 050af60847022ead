import JSON

/// A line of an import.
struct ImportedRecord: Equatable, Sendable {
    /// `revision` and `may_be_older` are members of exports; the import assigns new revisions.
    private static let members: Set<String> = [
        "key", "key_b64", "value", "value_b64", "expires_at", "revision", "may_be_older",
    ]

    let key: [UInt8]
    let value: [UInt8]
    /// In milliseconds since 1970.
    let expiresAt: UInt64?

    /// Why a line is no record.
    struct Malformed: Error, Equatable {
        let detail: String
    }

    init(_ line: [UInt8]) throws(Malformed) {
        let object: FlatJSONObject
        do { object = try FlatJSONObject(parsing: line) } catch { throw Malformed(detail: "\(error)") }
        if let name = object.names.first(where: { !Self.members.contains($0) }) {
            throw Malformed(detail: "an unknown member, \"\(name)\"")
        }
        self.key = try Self.bytes("key", object)
        self.value = try Self.bytes("value", object)
        if self.key.isEmpty { throw Malformed(detail: "the key is empty") }
        switch object["expires_at"] {
        case nil: self.expiresAt = nil
        case .number(let text)?:
            guard let milliseconds = UInt64(text) else {
                throw Malformed(detail: "\"expires_at\" is not a whole number of milliseconds since 1970")
            }
            self.expiresAt = milliseconds
        default: throw Malformed(detail: "\"expires_at\" is not a number")
        }
    }

    private static func bytes(_ name: String, _ object: FlatJSONObject) throws(Malformed) -> [UInt8] {
        let base64Name = "\(name)_b64"
        switch (object[name], object[base64Name]) {
        case (.string(let text)?, nil): return text
        case (nil, .string(let text)?):
            guard let bytes = Base64.decode(text) else { throw Malformed(detail: "\"\(base64Name)\" is not base64") }
            return bytes
        default: throw Malformed(detail: "it needs either \"\(name)\" or \"\(base64Name)\", as a string")
        }
    }
}
