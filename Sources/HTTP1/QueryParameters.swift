import NIOHTTP1

/// The parameters of a query, parsed strictly: each at most once, none that the route does not know, every byte encoded
/// correctly. Ignoring a misspelt or repeated parameter could lose an update.
public struct QueryParameters {
    /// Where the values of the allowed parameters are, by their index.
    public typealias Places = InlineArray<8, Range<Int>?>

    private let names: [StaticString]
    /// By index in `names`.
    private var values: [[UInt8]?]

    /// Parses a query as received.
    ///
    /// - Parameters:
    ///   - query: the text after the `?`; nil and the empty text have no parameter.
    ///   - allowed: the names that the route knows, at most eight. Names are decoded before they are compared.
    /// - Throws: 400 with code `bad_query`, `unknown_parameter` or `duplicate_parameter`.
    public init(_ query: String?, allowed: [StaticString]) throws(Problem) {
        self.names = allowed
        let query = query ?? ""
        let text = query.utf8.span
        let places = try Self.places(of: allowed, in: text)
        self.values = allowed.indices.map { index in
            guard let place = places[index] else { return nil }
            return PercentEncoding.decodeQueryComponent(text.extracting(place))
        }
    }

    /// The decoded value of a parameter; nil if it is missing.
    ///
    /// - Precondition: `name` is one of the allowed ones.
    public func bytes(_ name: StaticString) -> [UInt8]? {
        guard let index = self.names.firstIndex(where: { ASCII.same($0, name) }) else {
            preconditionFailure("the parameter \(name) is not allowed")
        }
        return self.values[index]
    }

    /// A parameter that is `true` or `false`; false if it is missing.
    ///
    /// - Precondition: `name` is one of the allowed ones.
    /// - Throws: 400 `bad_query`.
    public func flag(_ name: StaticString) throws(Problem) -> Bool {
        guard let text = self.bytes(name) else { return false }
        if text.elementsEqual("true".utf8) { return true }
        if text.elementsEqual("false".utf8) { return false }
        throw Self.problem("bad_query", "\(name) must be true or false.")
    }

    /// Checks a whole query, and finds the values in it, which are encoded correctly.
    ///
    /// - Precondition: at most eight names.
    /// - Throws: as ``init(_:allowed:)``.
    public static func places(of allowed: [StaticString], in query: Span<UInt8>) throws(Problem) -> Places {
        var places = Places(repeating: nil)
        var begin = 0
        while begin <= query.count, !query.isEmpty {
            var end = begin
            while end < query.count, query[end] != UInt8(ascii: "&") { end &+= 1 }
            let equals = try self.equals(in: query, begin..<end)
            guard let index = try self.index(of: query.extracting(begin..<equals), allowed),
                PercentEncoding.isValid(query.extracting(equals + 1..<end))
            else {
                throw self.problem("bad_query", "In a query, '%' must be followed by two hexadecimal digits.")
            }
            guard places[index] == nil else {
                throw self.problem("duplicate_parameter", "The query parameter '\(allowed[index])' occurs twice.")
            }
            places[index] = equals + 1..<end
            begin = end &+ 1
        }
        return places
    }

    private static func equals(in query: Span<UInt8>, _ pair: Range<Int>) throws(Problem) -> Int {
        for index in pair where query[index] == UInt8(ascii: "=") { return index }
        throw self.problem("bad_query", "Each query parameter must be written name=value.")
    }

    /// - Returns: nil if the name is not encoded correctly.
    private static func index(of encodedName: Span<UInt8>, _ names: [StaticString]) throws(Problem) -> Int? {
        // Names are almost never encoded.
        for index in names.indices where ASCII.identical(encodedName, names[index]) { return index }
        guard let name = PercentEncoding.decodeQueryComponent(encodedName) else { return nil }
        for index in names.indices where ASCII.identical(name.span, names[index]) { return index }
        let known =
            names.isEmpty
            ? "This request allows none." : "Allowed: " + names.map(\.description).joined(separator: ", ") + "."
        throw self.problem("unknown_parameter", "The query has an unknown parameter. \(known)")
    }

    private static func problem(_ code: String, _ detail: String) -> Problem {
        Problem(.badRequest, code: code, detail: detail)
    }
}
