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

    @Test func `is declared, so that its series begin at 0`() throws {
        let address = try #require(UpstreamAddress("http://127.0.0.1:8081"))
        var said: Set<ProblemKind> = []
        for operation in [UpstreamOperation.get, .set, .delete] {
            for failure in Self.failures {
                let problem = failure.problem(for: operation, upstream: address)
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
        let address = try #require(UpstreamAddress("http://127.0.0.1:8081"))
        let failures: [UpstreamFailure] = [
            .connect("refused"), .timeout(sent: true), .reset(sent: true), .protocolError("x"), .stopping,
        ]
        let said = failures.map { $0.problem(for: .keys, upstream: address) }
        let kinds = Set(said.map { ProblemKind($0.status.code, $0.code) })
        let handler = try #require(Gateway.handlers.first { $0.handler == "api_watch" })
        #expect(kinds.subtracting(handler.problems) == [])
        #expect(Set(WatchRelay.problems).subtracting(kinds) == [], "declared, and never said")
    }
}
