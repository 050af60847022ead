/// Which of the two services a test talks to.
package enum Front: String, CaseIterable, Sendable {
    case kvService = "kv"
    case apiGateway = "api"

    /// What the original's gateway adds to its messages.
    package var messageSuffix: String {
        self == .apiGateway ? " via api-gateway" : ""
    }
}

/// The data operations over one connection.
package struct KeyValueClient {
    package let connection: HTTPConnection
    private let prefix: String

    package init(port: UInt16, through front: Front) throws {
        self.connection = try HTTPConnection(port: port)
        self.prefix = "/\(front.rawValue)"
    }

    package func set(_ key: [UInt8], _ value: [UInt8], headers: [(String, String)] = []) throws -> HTTPAnswer {
        try self.connection.request(
            "PUT",
            "\(self.prefix)/set?key=\(Self.encoded(key))",
            headers: [("Content-Type", "application/octet-stream")] + headers,
            body: value
        )
    }

    package func setJSON(_ body: String, headers: [(String, String)] = []) throws -> HTTPAnswer {
        try self.connection.request(
            "POST",
            "\(self.prefix)/set",
            headers: [("Content-Type", "application/json")] + headers,
            body: Array(body.utf8)
        )
    }

    package func get(_ key: [UInt8], headers: [(String, String)] = []) throws -> HTTPAnswer {
        try self.connection.request("GET", "\(self.prefix)/get?key=\(Self.encoded(key))", headers: headers)
    }

    /// The value's bytes as they are.
    package func getRaw(_ key: [UInt8]) throws -> HTTPAnswer {
        try self.get(key, headers: [("Accept", "application/octet-stream")])
    }

    package func delete(_ key: [UInt8], headers: [(String, String)] = []) throws -> HTTPAnswer {
        try self.connection.request("DELETE", "\(self.prefix)/delete?key=\(Self.encoded(key))", headers: headers)
    }

    package func keys(_ query: String) throws -> HTTPAnswer {
        try self.connection.request("GET", "\(self.prefix)/keys?\(query)")
    }

    /// All but unreserved characters as `%XX`.
    package static func encoded(_ key: [UInt8]) -> String {
        let digits = Array("0123456789ABCDEF")
        return key.map { byte in
            let scalar = Unicode.Scalar(byte)
            let isUnreserved =
                byte < 0x80 && (scalar.properties.isAlphabetic || "0123456789-._~".unicodeScalars.contains(scalar))
            return isUnreserved ? String(scalar) : "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
        }.joined()
    }
}
