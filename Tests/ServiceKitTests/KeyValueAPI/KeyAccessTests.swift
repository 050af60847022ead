import AccessControl
import JSON
import NIOHTTP1
import TestSupport
import Testing

@testable import HTTP1
@testable import HTTPServing
@testable import KeyValueHTTP

/// Every operation with an access key that is limited to prefixes.
@Suite("Keys that an access key permits", .timeLimit(.minutes(1)))
struct KeyAccessTests {
    private static let limits = KeyValueLimits()

    private static func entry(_ prefixes: [[UInt8]], _ roles: AccessRoles = [.read, .write]) -> AccessEntry {
        AccessEntry(
            name: "client", digest: AccessKey.random().digest, roles: roles, prefixes: prefixes, expiresAt: nil)
    }

    private static func encoded(_ bytes: [UInt8]) -> String { KeyValueClient.encoded(bytes) }

    private static func json(_ key: [UInt8]) -> String { #""key_b64":"\#(Base64.encode(key))""# }

    /// The operations of one key.
    enum Operation: CaseIterable {
        case get, delete, setRaw, setJSON, increment, severalFirst, severalLast, check, set, deleteInTransaction, read
        case watchedKey

        var isWrite: Bool { ![.get, .severalFirst, .severalLast, .watchedKey].contains(self) }

        /// - Parameter permitted: a key that the access key permits.
        /// - Returns: what it is refused with; nil if it is not.
        func refusal(_ key: [UInt8], permitted: [UInt8], _ entry: AccessEntry) -> HTTPRequest.Refusal {
            let (query, limits) = ("key=\(KeyAccessTests.encoded(key))", KeyAccessTests.limits)
            func request(_ method: RequestMethod, query: String? = nil, type: String? = nil, _ body: String = "")
                -> HTTPRequest
            {
                .sample(method, query: query, contentType: type, body: Array(body.utf8), access: entry)
            }
            func document(_ body: String) -> HTTPRequest { request(.post, type: "application/json", body) }
            let (json, own) = (KeyAccessTests.json(key), KeyAccessTests.json(permitted))
            func transaction(_ members: String) -> HTTPRequest.Refusal {
                document("{\(members)}").refusal { _ = try TransactionRequest(of: $0, limits: limits) }
            }
            switch self {
            case .get, .delete:
                return request(self == .get ? .get : .delete, query: query).refusal {
                    try KeyParameter.withKey(
                        of: $0, .stored, limits: limits, applied: self == .get ? nil : .no
                    ) { _ in }
                }
            case .setRaw:
                return request(.put, query: query, type: "application/octet-stream", "v").refusal {
                    try SetRequest.read($0, limits: limits) { _ in }
                }
            case .setJSON:
                return document(#"{\#(json),"value":"v"}"#).refusal { try SetRequest.read($0, limits: limits) { _ in } }
            case .increment:
                return document("{\(json)}").refusal { _ = try IncrementRequest(of: $0, limits: limits) }
            case .severalFirst, .severalLast:
                let keys = self == .severalFirst ? "{\(json)},{\(own)}" : "{\(own)},{\(json)}"
                return document(#"{"keys":[\#(keys)]}"#).refusal { _ = try SeveralRequest(of: $0, limits: limits) }
            case .check:
                return transaction(
                    #""checks":[{\#(json),"absent":true}],"operations":[{"op":"set",\#(own),"value":"v"}]"#)
            case .set:
                return transaction(
                    #""operations":[{"op":"set",\#(own),"value":"v"},{"op":"set",\#(json),"value":"v"}]"#)
            case .deleteInTransaction: return transaction(#""operations":[{"op":"delete",\#(json)}]"#)
            case .read: return transaction(#""operations":[{"op":"get",\#(json)},{"op":"delete",\#(own)}]"#)
            case .watchedKey: return request(.get, query: query).refusal { _ = try WatchRequest(of: $0) }
            }
        }
    }

    private static func key(_ generator: inout SeededGenerator) -> [UInt8] {
        (0..<Int.random(in: 1...4, using: &generator)).map { _ in
            [0, 0x61, 0x62, 0xFF].randomElement(using: &generator) ?? 0
        }
    }

    @Test(arguments: Operation.allCases) func `an operation is refused if one of its keys is not permitted`(
        _ operation: Operation
    ) throws {
        var generator = SeededGenerator(printingFor: "\(operation)")
        var refused = 0
        for _ in 0..<400 {
            let prefixes = (0..<Int.random(in: 0...3, using: &generator)).map { _ in Self.key(&generator) }
            let key = Self.key(&generator)
            let refusal = operation.refusal(key, permitted: prefixes.first ?? key, Self.entry(prefixes))
            let isPermitted = prefixes.isEmpty || prefixes.contains { key.starts(with: $0) }
            #expect((refusal.problem == nil) == isPermitted, "\(key) \(prefixes)")
            guard let problem = refusal.problem else { continue }
            refused += 1
            #expect(problem.status == .forbidden && problem.code == "forbidden" && refusal.denial == .prefix)
            #expect(problem.applied == (operation.isWrite ? .no : nil))
            #expect(problem.detail.contains("client"))
        }
        #expect(refused > 20 && refused < 380)
    }

    /// All keys of up to three bytes of this alphabet, to try what a range contains.
    private static let universe: [[UInt8]] = {
        let letters: [UInt8] = [0, 0x61, 0x62, 0xFF]
        let two = letters.flatMap { first in letters.map { [first, $0] } }
        return letters.map { [$0] } + two + two.flatMap { begin in letters.map { begin + [$0] } }
    }()

    @Test func `a range is permitted only if all its keys are, and never beyond one prefix`() throws {
        var generator = SeededGenerator(printingFor: #function)
        var (permitted, refused) = (0, 0)
        for _ in 0..<4_000 {
            let prefixes = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
                Array(Self.key(&generator).prefix(2))
            }
            let (first, second) = (Self.key(&generator), Self.key(&generator))
            let query = [
                "", "prefix=\(Self.encoded(first))", "start=\(Self.encoded(first))", "end=\(Self.encoded(second))",
                "start=\(Self.encoded(first))&end=\(Self.encoded(second))",
            ][Int.random(in: 0..<5, using: &generator)]
            let range = try KeysRequest(query: query)
            let request = HTTPRequest.sample(.get, query: query, access: Self.entry(prefixes))
            let refusal = request.refusal { _ = try KeysRequest(of: $0) }
            if refusal.problem == nil {
                permitted += 1
                let inside = Self.universe.filter { key in
                    !key.lexicographicallyPrecedes(range.start)
                        && range.end.map { key.lexicographicallyPrecedes($0) } ?? true
                }
                let isWithinOne = prefixes.contains { prefix in inside.allSatisfy { $0.starts(with: prefix) } }
                #expect(isWithinOne, "\(query) \(prefixes)")
            } else {
                refused += 1
                #expect(refusal.problem?.status == .forbidden && refusal.denial == .prefix)
            }
        }
        #expect(permitted > 100 && refused > 1_000)
    }

    @Test func `the ranges of a prefix are permitted`() {
        let entry = Self.entry([Array("orders/".utf8), [0xFF, 0xFF]])
        func isPermitted(_ query: String) -> Bool {
            HTTPRequest.sample(.get, query: query, access: entry).refusal { _ = try KeysRequest(of: $0) }.problem == nil
        }
        for query in [
            "prefix=orders/", "prefix=orders/7", "start=orders/&end=orders0", "start=orders/1&end=orders/9",
            "start=orders/1&end=orders/0", "prefix=%FF%FF", "start=%FF%FF", "start=%FF%FFa&end=%FF%FFb",
        ] { #expect(isPermitted(query), "\(query)") }
        for query in [
            "", "prefix=", "prefix=orders", "prefix=orderz/", "start=orders/", "end=orders0",
            "start=orders&end=orders0",
            "start=orders/&end=orders00", "start=orders/&end=orders1", "prefix=%FF", "start=orders/&end=%FF%FF",
        ] { #expect(!isPermitted(query), "\(query)") }
    }

    @Test func `a watch is permitted within one prefix`() {
        let entry = Self.entry([Array("orders/".utf8)])
        func isPermitted(_ query: String) -> Bool {
            HTTPRequest.sample(.get, query: query, access: entry).refusal { _ = try WatchRequest(of: $0) }.problem
                == nil
        }
        for query in ["prefix=orders/", "prefix=orders/1", "key=orders/1", "key=orders/"] {
            #expect(isPermitted(query), "\(query)")
        }
        for query in ["", "prefix=", "prefix=orders", "key=orders", "key=other/1", "prefix=orders0"] {
            #expect(!isPermitted(query), "\(query)")
        }
    }

    /// A cursor is no secret: whoever knows the store's id can make one.
    @Test func `a made-up cursor does not lead out of the range`() throws {
        var generator = SeededGenerator(printingFor: #function)
        for _ in 0..<2_000 {
            let query =
                "prefix=\(Self.encoded(Self.key(&generator)))"
                + ["", "&reverse=true"][Int.random(in: 0...1, using: &generator)]
            let range = try KeysRequest(query: query)
            let cursor = range.cursor(behind: Self.key(&generator), ofStore: (1, 2)).text
            let page = try KeysRequest(query: "\(query)&cursor=\(cursor)").page(ofStore: (1, 2))
            #expect(!page.start.lexicographicallyPrecedes(range.start))
            if let end = range.end { #expect(page.end.map { !end.lexicographicallyPrecedes($0) } == true) }
        }
    }

    @Test func `a transaction that reads or checks needs the role read`() {
        func refusal(_ roles: AccessRoles, _ body: String) -> HTTPRequest.Refusal {
            HTTPRequest.sample(
                .post, contentType: "application/json", body: Array(body.utf8), access: Self.entry([], roles)
            ).refusal { _ = try TransactionRequest(of: $0, limits: Self.limits) }
        }
        let write = #"{"operations":[{"op":"set","key":"a","value":"v"},{"op":"delete","key":"b"}]}"#
        let get = #"{"operations":[{"op":"set","key":"a","value":"v"},{"op":"get","key":"b"}]}"#
        let check = #"{"checks":[{"key":"a","absent":true}],"operations":[{"op":"set","key":"a","value":"v"}]}"#
        #expect(refusal(.write, write).problem == nil)
        for body in [get, check] {
            let refusal = refusal(.write, body)
            #expect(refusal.problem?.status == .forbidden && refusal.problem?.applied == .no && refusal.denial == .role)
        }
        for body in [write, get, check] { #expect(refusal([.read, .write], body).problem == nil) }
    }
}

extension HTTPRequest {
    struct Refusal {
        let problem: Problem?
        let denial: AccessDenial?
    }

    func refusal(_ read: (HTTPRequest) throws -> Void) -> Refusal {
        do {
            try read(self)
        } catch let problem as Problem {
            return Refusal(problem: problem, denial: self.denial)
        } catch {
            Issue.record(error)
        }
        return Refusal(problem: nil, denial: self.denial)
    }
}
