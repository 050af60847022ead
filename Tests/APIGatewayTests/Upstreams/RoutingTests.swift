import NIOHTTP1
import TestSupport
import Testing

@testable import APIGateway
@testable import HTTP1
@testable import HTTPServing
@testable import KeyValueHTTP

@Suite("A gateway with several upstreams", .timeLimit(.minutes(1)))
struct RoutingTests {
    /// Answers every request as kv-service does.
    private static func server() -> FakeHTTPServer {
        FakeHTTPServer { request in
            switch request.path {
            case "/kv/get": FakeAnswer.value(Array("v".utf8), revision: 1)
            case "/kv/set": FakeAnswer.stored(1)
            case "/kv/delete": FakeAnswer.deleted
            case "/kv/keys": FakeAnswer.json(#"{"status":"ok","keys":[],"revision":1}"# + "\n")
            case "/kv/mget": FakeAnswer.json(#"{"status":"ok","values":[],"revision":1}"# + "\n")
            case "/kv/txn": FakeAnswer.json(#"{"status":"ok","revision":2,"results":[]}"# + "\n")
            case "/kv/incr":
                FakeAnswer.json(#"{"status":"ok","value":"1","revision":2}"# + "\n", fields: "ETag: \"2\"\r\n")
            default: FakeAnswer.ready
            }
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        var method = RequestMethod.get
        var query: String?
        var body = ""
        /// The place of the upstream, or the code of the refusal.
        var place: Int?
        var code = ""
        var detail = ""
        var testDescription: String { "\(self.name) \(self.query ?? self.body)" }

        var isWrite: Bool { !["get", "keys", "mget"].contains(self.name) }

        func perform(_ routes: KeyValueRoutes, _ request: HTTPRequest, _ responder: Responder) {
            switch self.name {
            case "get": routes.get(request, responder)
            case "set": routes.set(request, responder)
            case "delete": routes.delete(request, responder)
            case "keys": routes.keys(request, responder)
            case "mget": routes.several(request, responder)
            case "txn": routes.transaction(request, responder)
            default: routes.increment(request, responder)
            }
        }
    }

    /// u0 has orders/ and carts/, u1 orders/archive/ and users/; no upstream has the rest.
    private static let prefixes = ["orders/,carts/", "orders/archive/,users/"]
    private static let both = "(u0, u1)"

    private static func txn(_ checks: String, _ operations: String) -> String {
        #"{"checks":[\#(checks)],"operations":[\#(operations)]}"#
    }
    private static func set(_ key: String) -> String { #"{"op":"set","key":"\#(key)","value":"v"}"# }
    private static func absent(_ key: String) -> String { #"{"key":"\#(key)","absent":true}"# }

    static let cases: [Case] = [
        Case(name: "get", query: "key=orders%2F1", place: 0),
        Case(name: "get", query: "key=orders%2Farchive%2F1", place: 1),
        Case(name: "get", query: "key=order", code: "no_upstream"),
        Case(name: "set", method: .put, query: "key=users%2F1", body: "v", place: 1),
        Case(name: "set", method: .put, query: "key=x", body: "v", code: "no_upstream"),
        Case(name: "set", method: .post, body: #"{"key":"carts/1","value":"v"}"#, place: 0),
        Case(name: "set", method: .post, body: #"{"key":"x","value":"v"}"#, code: "no_upstream"),
        Case(name: "delete", method: .delete, query: "key=orders/2", place: 0),
        Case(name: "delete", method: .delete, query: "key=zzz", code: "no_upstream"),
        Case(name: "incr", method: .post, body: #"{"key":"users/n"}"#, place: 1),
        Case(name: "incr", method: .post, body: #"{"key":"n"}"#, code: "no_upstream"),
        Case(name: "mget", method: .post, body: #"{"keys":["orders/1","carts/1","orders/1"]}"#, place: 0),
        Case(
            name: "mget", method: .post, body: #"{"keys":["orders/1","users/1","carts/1"]}"#, code: "spans_upstreams",
            detail: Self.both),
        Case(name: "mget", method: .post, body: #"{"keys":["orders/1","x"]}"#, code: "no_upstream"),
        Case(name: "txn", method: .post, body: Self.txn(Self.absent("users/a"), Self.set("users/a")), place: 1),
        Case(
            name: "txn", method: .post, body: Self.txn("", Self.set("orders/a") + "," + Self.set("orders/archive/a")),
            code: "spans_upstreams", detail: Self.both),
        Case(
            name: "txn", method: .post, body: Self.txn(Self.absent("users/a"), Self.set("orders/a")),
            code: "spans_upstreams", detail: "(u1, u0)"),
        Case(name: "txn", method: .post, body: Self.txn(Self.absent("x"), Self.set("orders/a")), code: "no_upstream"),
        Case(name: "keys", query: "prefix=orders/archive/", place: 1),
        Case(name: "keys", query: "prefix=carts/7&limit=5", place: 0),
        Case(name: "keys", query: "prefix=orders/", code: "spans_upstreams", detail: Self.both),
        Case(name: "keys", query: "start=orders/&end=orders/archive/", place: 0),
        Case(name: "keys", query: "start=orders/archive0&end=orders0", place: 0),
        Case(
            name: "keys", query: "start=orders/archive0&end=orders00", code: "spans_upstreams",
            detail: "(u0; no upstream has the other keys)"),
        Case(
            name: "keys", code: "spans_upstreams", detail: "(u0, u1; no upstream has the other keys)"),
        Case(name: "keys", query: "prefix=x", code: "no_upstream"),
    ]

    @Test(arguments: Self.cases)
    func `sends a request where all of its keys are, and else nowhere`(_ case: Case) async throws {
        let servers = [Self.server(), Self.server()]
        try await withRoutedGateway(Array(zip(Self.prefixes, servers))) { gateway, _ in
            let type = `case`.method == .put ? "application/octet-stream" : "application/json"
            let headers = `case`.body.isEmpty ? [] : [("Content-Type", type)]
            let answer = await gateway.perform(
                `case`.method, query: `case`.query, headers: headers, body: `case`.body, `case`.perform)
            let received = servers.map(\.requests.count)
            if let place = `case`.place {
                #expect(answer.status == 200, "\(answer.text)")
                #expect(received == (place == 0 ? [1, 0] : [0, 1]))
                #expect(answer.accessNote == #","upstream":"u\#(place)""#)
            } else {
                #expect(answer.status == 400 && answer.code == `case`.code, "\(answer.text)")
                #expect(answer.applied == (`case`.isWrite ? "no" : nil))
                #expect(answer.text.contains(`case`.detail), "\(answer.text)")
                #expect(received == [0, 0])
                #expect(answer.accessNote == "")
            }
        }
    }

    @Test(
        arguments: [
            ("prefix=orders/archive/", 1, ""), ("key=orders/1", 0, ""), ("prefix=orders/a", nil, "spans_upstreams"),
            ("key=x", nil, "no_upstream"), ("", nil, "spans_upstreams"),
        ] as [(String, Int?, String)])
    func `has a watch of keys of one upstream only`(query: String, place: Int?, code: String) throws {
        let routes = try RoutesParser.routes(
            Array("u0 http://h:1 prefixes=\(Self.prefixes[0])\nu1 http://h:2 prefixes=\(Self.prefixes[1])\n".utf8))
        let table = UpstreamTable.sample(routes)
        let selection = try WatchRequest(query: query.isEmpty ? nil : query, lastEventIDs: []).selection
        do throws(Problem) {
            #expect(try table.place(of: selection) == place)
        } catch {
            #expect(place == nil && error.code == code && error.applied == nil)
        }
    }
}
