import NIOHTTP1

/// The parameters of a query, read strictly: each at most once, none that the route doesn't know, every byte well
/// encoded. A misspelt or doubled parameter that went unnoticed could be a lost update.
package struct QueryParameters {
    private let names: [StaticString]
    /// By position in `names`.
    private var values: [[UInt8]?]

    /// Parses a query as received.
    ///
    /// - Parameters:
    ///   - query: what follows the `?`; nil and the empty text hold no parameter.
    ///   - allowed: the names that the route knows. Names are decoded before they are compared.
    /// - Throws: 400 with code `bad_query`, `unknown_parameter` or `duplicate_parameter`.
    package init(_ query: String?, allowed: [StaticString]) throws(Problem) {
        self.names = allowed
        self.values = Array(repeating: nil, count: allowed.count)
        guard let query, !query.isEmpty else { return }
        var rest = query.utf8[...]
        while true {
            let end = rest.firstIndex(of: UInt8(ascii: "&"))
            try self.take(rest[..<(end ?? rest.endIndex)])
            guard let end else { return }
            rest = rest[rest.index(after: end)...]
        }
    }

    /// The decoded value of a parameter, nil when it isn't there.
    ///
    /// - Precondition: `name` is one of the allowed ones.
    package func bytes(_ name: StaticString) -> [UInt8]? {
        guard let index = self.names.firstIndex(where: { $0.description == name.description }) else {
            preconditionFailure("the parameter \(name) is not among the allowed ones")
        }
        return self.values[index]
    }

    private mutating func take(_ pair: Substring.UTF8View) throws(Problem) {
        guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else {
            throw Self.problem("bad_query", "Each query parameter must be written name=value.")
        }
        guard let name = PercentEncoding.decodeQueryComponent(pair[..<equals]),
            let value = PercentEncoding.decodeQueryComponent(pair[pair.index(after: equals)...])
        else {
            throw Self.problem("bad_query", "In a query, '%' must be followed by two hexadecimal digits.")
        }
        guard let index = self.names.firstIndex(where: { ASCII.identical(name, $0) }) else {
            throw Self.problem("unknown_parameter", "A query parameter is not known here. \(self.known)")
        }
        guard self.values[index] == nil else {
            throw Self.problem("duplicate_parameter", "The query parameter '\(self.names[index])' occurs twice.")
        }
        self.values[index] = value
    }

    private var known: String {
        guard !self.names.isEmpty else { return "This request takes none." }
        return "Known: " + self.names.map(\.description).joined(separator: ", ") + "."
    }

    private static func problem(_ code: String, _ detail: String) -> Problem {
        Problem(.badRequest, code: code, detail: detail)
    }
}
