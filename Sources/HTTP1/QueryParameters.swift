import NIOHTTP1

/// The parameters of a query, parsed strictly: each at most once, none that the route does not know, every byte encoded
/// correctly. Ignoring a misspelt or repeated parameter could lose an update.
package struct QueryParameters {
    private let names: [StaticString]
    /// By index in `names`.
    private var values: [[UInt8]?]

    /// Parses a query as received.
    ///
    /// - Parameters:
    ///   - query: the text after the `?`; nil and the empty text have no parameter.
    ///   - allowed: the names that the route knows. Names are decoded before they are compared.
    /// - Throws: 400 with code `bad_query`, `unknown_parameter` or `duplicate_parameter`.
    package init(_ query: String?, allowed: [StaticString]) throws(Problem) {
        self.names = allowed
        self.values = Array(repeating: nil, count: allowed.count)
        guard let query, !query.isEmpty else { return }
        let text = query.utf8.span
        var begin = 0
        while begin <= text.count {
            var end = begin
            while end < text.count, text[end] != UInt8(ascii: "&") { end += 1 }
            try self.take(text.extracting(begin..<end))
            begin = end + 1
        }
    }

    /// The decoded value of a parameter; nil if it is missing.
    ///
    /// - Precondition: `name` is one of the allowed ones.
    package func bytes(_ name: StaticString) -> [UInt8]? {
        guard let index = self.names.firstIndex(where: { ASCII.same($0, name) }) else {
            preconditionFailure("the parameter \(name) is not allowed")
        }
        return self.values[index]
    }

    private mutating func take(_ pair: Span<UInt8>) throws(Problem) {
        var equals = 0
        while equals < pair.count, pair[equals] != UInt8(ascii: "=") { equals += 1 }
        guard equals < pair.count else {
            throw Self.problem("bad_query", "Each query parameter must be written name=value.")
        }
        let encodedName = pair.extracting(0..<equals)
        guard let index = try self.index(of: encodedName),
            let value = PercentEncoding.decodeQueryComponent(pair.extracting(equals + 1..<pair.count))
        else {
            throw Self.problem("bad_query", "In a query, '%' must be followed by two hexadecimal digits.")
        }
        guard self.values[index] == nil else {
            throw Self.problem("duplicate_parameter", "The query parameter '\(self.names[index])' occurs twice.")
        }
        self.values[index] = value
    }

    /// - Returns: nil if the name is not encoded correctly.
    private func index(of encodedName: Span<UInt8>) throws(Problem) -> Int? {
        // Names are almost never encoded.
        for index in self.names.indices where ASCII.identical(encodedName, self.names[index]) { return index }
        guard let name = PercentEncoding.decodeQueryComponent(encodedName) else { return nil }
        for index in self.names.indices where ASCII.identical(name.span, self.names[index]) { return index }
        throw Self.problem("unknown_parameter", "The query has an unknown parameter. \(self.known)")
    }

    private var known: String {
        guard !self.names.isEmpty else { return "This request allows none." }
        return "Allowed: " + self.names.map(\.description).joined(separator: ", ") + "."
    }

    private static func problem(_ code: String, _ detail: String) -> Problem {
        Problem(.badRequest, code: code, detail: detail)
    }
}
