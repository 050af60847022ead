import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import APIGateway
@testable import HTTP1
@testable import HTTPServing

@Suite("What the gateway says of a failure on the way to kv-service", .timeLimit(.minutes(1)))
struct UpstreamProblemTests {
    static let failures: [UpstreamFailure] = [
        .poolExhausted, .connect("refused"), .circuitOpen(retryAfterSeconds: 1), .timeout(sent: true),
        .timeout(sent: false), .reset(sent: true), .reset(sent: false), .protocolError("x"),
        .answerTooLarge(bytes: 2, limit: 1), .stopping,
    ]

    private static func upstream(_ name: String? = nil) throws -> Upstream {
        let address = try #require(UpstreamAddress("http://127.0.0.1:8081"))
        let route = UpstreamRoute(
            name: name ?? UpstreamRoute.onlyName, address: address, prefixes: [], takesOthers: true)
        return UpstreamTable.sample([route], areNamed: name != nil).entries[0].upstream
    }

    @Test(arguments: Self.failures)
    func `names the kv-service of a routes file, if it has to do with one of several`(failure: UpstreamFailure) throws {
        let named = failure.problem(for: .get, upstream: try Self.upstream("orders")).detail
        let only = failure.problem(for: .get, upstream: try Self.upstream()).detail
        switch failure {
        case .connect, .circuitOpen, .timeout, .reset:
            #expect(named.contains("kv-service orders"))
            #expect(only == named.replacing("kv-service orders", with: "kv-service"))
        case .poolExhausted, .protocolError, .answerTooLarge, .stopping: #expect(named == only)
        }
    }

    @Test func `is declared, so that its series begin at 0`() throws {
        let upstream = try Self.upstream()
        var said: Set<ProblemKind> = []
        for operation in [UpstreamOperation.get, .set, .delete] {
            for failure in Self.failures {
                let problem = failure.problem(for: operation, upstream: upstream)
                let kind = ProblemKind(problem.status.code, problem.code)
                said.insert(kind)
                for handler in Gateway.handlers where handler.handler != "api_watch" {
                    #expect(handler.problems.contains(kind), "\(kind)")
                }
            }
        }
        let rows = try Repository.text("Docs/API.md").split(separator: "\n")
        for kind in said {
            #expect(rows.contains { $0.hasPrefix("| \(kind.status) |") && $0.contains("`\(kind.code)`") }, "\(kind)")
        }
        #expect(said == Set(UpstreamFailure.problems), "declared, and never said")
    }

    /// A watch is in no pool and heeds no circuit.
    @Test func `is declared of a watch, if it can happen to one`() throws {
        let upstream = try Self.upstream()
        let failures: [UpstreamFailure] = [
            .connect("refused"), .timeout(sent: true), .reset(sent: true), .protocolError("x"), .stopping,
        ]
        let said = failures.map { $0.problem(for: .keys, upstream: upstream) }
        let kinds = Set(said.map { ProblemKind($0.status.code, $0.code) })
        let handler = try #require(Gateway.handlers.first { $0.handler == "api_watch" })
        #expect(kinds.subtracting(handler.problems) == [])
        #expect(Set(WatchRelay.problems).subtracting(kinds) == [], "declared, and never said")
    }
}
