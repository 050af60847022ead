import AccessControl
import Testing

@testable import APIGateway

@Suite("The routes file", .timeLimit(.minutes(1)))
struct RoutesParserTests {
    private func routes(_ text: String) throws -> [UpstreamRoute] { try RoutesParser.routes(Array(text.utf8)) }

    @Test func `has an upstream a line, with its prefixes percent-encoded`() throws {
        let routes = try self.routes(
            """
            # Where the keys are.

            orders\thttps://kv-orders:8081  prefixes=orders/,a%00%2A%2cb
              users http://[::1]:8082/ prefixes=u
            main http://10.0.0.1 prefixes=*,orders/archive/
            """)
        #expect(routes.map(\.name) == ["orders", "users", "main"])
        #expect(
            routes.map(\.address.description) == ["https://kv-orders:8081", "http://[::1]:8082", "http://10.0.0.1:80"])
        #expect(
            routes.map(\.prefixes) == [
                [Array("orders/".utf8), Array("a\0*,b".utf8)], [Array("u".utf8)], [Array("orders/archive/".utf8)],
            ])
        #expect(routes.map(\.takesOthers) == [false, false, true])
        #expect(routes[0].prefixTexts == ["orders/", "a%00%2a%2cb"])
        #expect(routes[2].prefixTexts == ["orders/archive/", "*"])
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let text: String
        let failure: String
        var testDescription: String { self.failure }
    }

    private static let a = "a http://h:1 prefixes=a\n"
    static let cases: [Case] = [
        .init(text: "", failure: "line 1, column 1: there is no upstream"),
        .init(text: "# a http://h:1 prefixes=*\n\n", failure: "line 3, column 1: there is no upstream"),
        .init(text: " a/b http://h:1 prefixes=*", failure: "line 1, column 2: a name has 1 to 64"),
        .init(
            text: String(repeating: "n", count: 65) + " http://h:1 prefixes=*",
            failure: "line 1, column 1: a name has 1 to 64"),
        .init(text: "a http://h:1 prefixes=\u{FF}", failure: "line 1, column 23 (a): there is a byte that is no"),
        .init(text: "a", failure: "line 1, column 2 (a): the URL is missing"),
        .init(text: "a h:1 prefixes=*", failure: "line 1, column 3 (a): a URL is http://host:port"),
        .init(text: "a http://h:1/path prefixes=*", failure: "line 1, column 3 (a): a URL is http://host:port"),
        .init(text: "a http://h:0 prefixes=*", failure: "line 1, column 3 (a): a URL is http://host:port"),
        .init(text: "a http://h:1", failure: "line 1, column 13 (a): the prefixes are missing"),
        .init(text: "a http://h:1 roles=read", failure: "line 1, column 14 (a): only prefixes= follows the URL"),
        .init(text: "a http://h:1 prefixes=a b", failure: "line 1, column 25 (a): only prefixes= follows the URL"),
        .init(
            text: "a http://h:1 prefixes=a prefixes=b", failure: "line 1, column 25 (a): only prefixes= follows the URL"
        ),
        .init(
            text: "a http://h:1 prefixes=", failure: "line 1, column 23 (a): a prefix has 1 to 1024 bytes; prefixes=*"),
        .init(text: "a http://h:1 prefixes=a,,b", failure: "line 1, column 25 (a): a prefix has 1 to 1024 bytes"),
        .init(
            text: "a http://h:1 prefixes=" + String(repeating: "p", count: 1_025),
            failure: "line 1, column 23 (a): a prefix has 1 to 1024 bytes"),
        .init(text: "a http://h:1 prefixes=a%4", failure: "line 1, column 23 (a): a % of a prefix is not followed"),
        .init(text: "a http://h:1 prefixes=orders/*", failure: "line 1, column 23 (a): a prefix ends by itself"),
        .init(text: "a http://h:1 prefixes=*,*", failure: "line 1, column 25 (a): line 1 has prefixes=* too"),
        .init(
            text: Self.a + "b http://h:2 prefixes=*\nc http://h:3 prefixes=x,*",
            failure: "line 3, column 25 (c): line 2 has prefixes=* too"),
        .init(
            text: Self.a + "\nb http://h:2 prefixes=b,%61", failure: "line 3, column 25 (b): line 1 has the same prefix"
        ),
        .init(text: Self.a + "a http://h:2 prefixes=b", failure: "line 2, column 1 (a): line 1 has the same name"),
        .init(text: Self.a + "b https://h:1 prefixes=b", failure: "line 2, column 3 (b): line 1 has the same address"),
        .init(
            text: (1...17).map { "u\($0) http://h:\($0) prefixes=p\($0)/\n" }.joined(),
            failure: "line 17, column 1 (u17): there are more than 16 upstreams"),
        .init(
            text: "a http://h:1 prefixes=" + (1...65).map { "p\($0)" }.joined(separator: ","),
            failure: "line 1, column 23 (a): there are more than 64 prefixes"),
    ]

    @Test(arguments: Self.cases) func `is refused with line and column`(_ case: Case) throws {
        let failure = try #require(throws: EntryFailure.self) { try self.routes(`case`.text) }
        #expect("\(failure)".hasPrefix(`case`.failure), "\(failure)")
    }

    @Test func `may have sixteen upstreams with 64 prefixes each`() throws {
        let text = (1...16).map { upstream in
            "u\(upstream) http://h:\(upstream) prefixes="
                + (1...64).map { "\(upstream)/\($0)/" }.joined(separator: ",") + "\n"
        }.joined()
        #expect(try self.routes(text).map(\.prefixes.count) == Array(repeating: 64, count: 16))
    }
}
