import Foundation
import TestSupport
import Testing

@testable import APIGateway
@testable import HTTP1
@testable import HTTPServing
@testable import KVService
@testable import ServiceKit

/// Holds `Docs/openapi.json` and the table of problems in `Docs/API.md` to what the services declare.
@Suite("Docs/openapi.json", .timeLimit(.minutes(1)))
struct OpenAPITests {
    struct Service: Sendable, CustomTestStringConvertible {
        let name: String
        /// What the handlers of its data routes begin with.
        let prefix: String
        let handlers: [HandlerDeclaration]
        var testDescription: String { self.name }

        /// The handler of an operation.
        func handler(of operation: OpenAPIDocument.Operation) -> String {
            let name = operation.path.split(separator: "/").first.map(String.init) ?? "index"
            if operation.isOfOperators { return name == "healthz" ? "livez" : name }
            return "\(self.prefix)_\(name)"
        }

        /// The documented operations of each handler.
        func operations() throws -> [String: [OpenAPIDocument.Operation]] {
            let there = try OpenAPIDocument().operations.filter { $0.services.contains(self.name) }
            return Dictionary(grouping: there, by: self.handler)
        }

        func codes(of response: OpenAPIDocument.Response) -> Set<ProblemKind> {
            let codes = self.name == "api-gateway" ? response.codes.union(response.gatewayCodes) : response.codes
            return Set(codes.map { ProblemKind(response.status, $0) })
        }
    }

    static let services = [
        Service(
            name: "kv-service", prefix: "kv",
            handlers: KVRoutes.handlers + WatchRoutes.handlers
                + HandlerDeclaration.common(
                    adminStatuses: CompactionAdmin.statuses,
                    adminProblems: CompactionAdmin.problems + BackupRoute.problems)),
        Service(
            name: "api-gateway", prefix: "api", handlers: Gateway.handlers + HandlerDeclaration.common()),
    ]

    @Test(arguments: Self.services) func `has the handlers of the service and their methods`(_ service: Service) throws
    {
        let documented = try service.operations().mapValues { Set($0.map(\.method)) }
        // HEAD comes with GET, and the document may leave it out.
        let declared = service.handlers.map { ($0.handler, Set($0.methods)) }
        #expect(Set(documented.keys) == Set(declared.map(\.0)))
        for (handler, methods) in declared {
            var there = try #require(documented[handler], "\(handler)")
            if there.contains(.get) { there.insert(.head) }
            #expect(there == methods, "\(handler)")
        }
    }

    @Test(arguments: Self.services) func `has every answer that the service declares, and no other`(
        _ service: Service
    ) throws {
        let documented = try service.operations()
        for declaration in service.handlers {
            let responses = try #require(documented[declaration.handler]).flatMap(\.responses)
            let successes = Set(responses.filter(\.isSuccess).map(\.status))
            #expect(successes == Set(declaration.successes), "\(declaration.handler)")
            let codes = Set(responses.flatMap(service.codes))
            // A method that is not accepted has no operation in the document.
            let declared = Set(declaration.problems).subtracting([.ofOtherMethod])
            #expect(codes.subtracting(declared) == [], "\(declaration.handler): documented alone")
            #expect(declared.subtracting(codes) == [], "\(declaration.handler): declared alone")
        }
    }

    @Test func `has the problems of requests that are no operation`() throws {
        let kinds = HandlerDeclaration.other.problems + ProblemKind.ofConnection + [.ofOtherMethod]
        #expect(try OpenAPIDocument().problemsOfAnyRequest == Set(kinds))
    }

    /// A row of the table of problems in `Docs/API.md`.
    private struct Row {
        let kinds: [ProblemKind]
        let applied: Set<String>
        let isComplete: Bool

        /// Nil for a line that is no row of that table.
        init?(_ line: Substring) {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 5, let status = UInt(cells[0]), 400...599 ~= status else { return nil }
            self.kinds = cells[1].split(separator: ", ").map { ProblemKind(status, String($0.dropFirst().dropLast())) }
            self.applied = cells[4] == "–" ? [] : Set(cells[4].split(separator: ", ").map(String.init))
            self.isComplete = cells.allSatisfy { !$0.isEmpty }
        }
    }

    @Test func `and the table in Docs API md have the same problems, with the same applied`() throws {
        let document = try OpenAPIDocument()
        var applied: [ProblemKind: Set<String>] = [:]
        for response in document.operations.flatMap(\.responses) {
            for code in response.codes.union(response.gatewayCodes) {
                applied[ProblemKind(response.status, code), default: []].formUnion(response.applied[code] ?? [])
            }
        }
        // Without an operation nothing was written.
        for kind in document.problemsOfAnyRequest where applied[kind] == nil { applied[kind] = ["no"] }
        let rows = try Repository.text("Docs/API.md").split(separator: "\n").compactMap(Row.init)
        let kinds = rows.flatMap(\.kinds)
        #expect(Set(kinds) == Set(applied.keys))
        #expect(kinds.count == Set(kinds).count, "a problem has two rows")
        for row in rows {
            #expect(row.isComplete)
            for kind in row.kinds { #expect(applied[kind] == row.applied, "\(kind)") }
        }
    }

    /// The fields that the services look at are in one place, and those of single requests in one module.
    @Test func `has every header field that the services read`() throws {
        let source = try Repository.text("Sources/HTTPServing/Routes/HeadFields.swift")
        var read = Set(source.matches(of: /ASCII\.equal\(name, "([a-z-]+)"\)/).map { String($0.1) })
        let requests = "Sources/KeyValueHTTP"
        for name in try FileManager.default.contentsOfDirectory(atPath: Repository.path(requests)) {
            let text = try Repository.text("\(requests)/\(name)")
            read.formUnion(text.matches(of: /headers\.(?:values|elements)\(of: "([a-z-]+)"\)/).map { String($0.1) })
        }
        #expect(read.count > 15, "the search found too little")
        // What HTTP says of every message, the type of the answer, and access keys, which OpenAPI has elsewhere; the
        // conditions that are refused or ignored; and what proxies add.
        let elsewhere: Set = [
            "accept", "authorization", "connection", "content-encoding", "content-length", "content-type", "expect",
            "host",
            "transfer-encoding", "user-agent", "range", "if-range", "content-range", "if-modified-since",
            "if-unmodified-since", "x-forwarded-for",
        ]
        let documented = Set(try OpenAPIDocument().operations.flatMap(\.headers).map { $0.lowercased() })
        #expect(documented == read.subtracting(elsewhere))
    }
}
