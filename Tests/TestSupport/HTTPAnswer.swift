import Foundation

/// An answer as it came over the wire.
package struct HTTPAnswer {
    package let status: Int
    package let headers: [(name: String, value: String)]
    package var body: [UInt8] = []

    /// - Parameter head: status line and headers without the empty line.
    package init(head: String) throws {
        let lines = head.components(separatedBy: "\r\n")
        let statusLine = lines[0].split(separator: " ", maxSplits: 2)
        guard statusLine.count >= 2, statusLine[0] == "HTTP/1.1", let status = Int(statusLine[1]) else {
            throw MalformedAnswer(reason: "status line: \(lines[0])")
        }
        self.status = status
        self.headers = try lines.dropFirst().map { line in
            guard let colon = line.firstIndex(of: ":") else { throw MalformedAnswer(reason: "header: \(line)") }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            return (String(line[..<colon]), value)
        }
    }

    /// The first header of that name, whatever its case.
    package subscript(name: String) -> String? {
        self.headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    package var text: String {
        String(decoding: self.body, as: UTF8.self)
    }

    /// The body as a JSON object. Foundation's parser stands in for the many that clients use.
    package var json: JSONObject {
        get throws { try JSONObject(self.body) }
    }
}

/// A parsed JSON object with typed look-ups.
package struct JSONObject {
    package let members: [String: Any]

    package init(members: [String: Any]) {
        self.members = members
    }

    package init(_ bytes: some Sequence<UInt8>) throws {
        let data = Data(bytes)
        guard let members = try JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw MalformedAnswer(reason: "not a JSON object: \(String(decoding: data, as: UTF8.self))")
        }
        self.members = members
    }

    package func string(_ name: String) -> String? { self.members[name] as? String }
    package func bool(_ name: String) -> Bool? { self.members[name] as? Bool }
    package func integer(_ name: String) -> Int? { self.members[name] as? Int }
    package func number(_ name: String) -> Double? { self.members[name] as? Double }
}

extension JSONObject {
    /// A member that is an object itself.
    package func object(_ name: String) -> JSONObject {
        JSONObject(members: self.members[name] as? [String: Any] ?? [:])
    }

    package func objects(_ name: String) -> [JSONObject] {
        (self.members[name] as? [[String: Any]] ?? []).map { JSONObject(members: $0) }
    }
}
