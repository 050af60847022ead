import Foundation
import NIOHTTP1
import PrometheusMetrics
import TestSupport
import Testing

@testable import HTTP1
@testable import HTTPServing
@testable import KeyValueHTTP
@testable import Telemetry

@Suite("The table of problems", .timeLimit(.minutes(1)))
struct ProblemKindTests {
    static let all =
        ProblemKind.ofServer + ProblemKind.ofNoRoute + ProblemKind.ofConnection + ProblemKind.ofAdmin
        + ProblemKind.ofSet + ProblemKind.ofGet + ProblemKind.ofDelete + ProblemKind.ofKeys
        + ProblemKind.ofWatch + ProblemKind.ofTransaction + ProblemKind.ofSeveral + ProblemKind.ofIncrement
        + [ProblemKind.ofOtherMethod]

    @Test func `gives each code one status`() {
        let statuses = Dictionary(grouping: Set(Self.all), by: \.code)
        #expect(statuses.filter { $0.value.count > 1 }.isEmpty)
    }

    /// Codes of the sources that are not in the table would begin late in the metrics.
    @Test func `has every problem that the sources of what both services share make`() throws {
        let sources = Repository.path("Sources")
        let modules = ["Admin", "HTTP1", "HTTPServing", "Health", "KeyValueHTTP", "ServiceKit", "Telemetry"]
        let files = try modules.flatMap { module in
            try #require(FileManager.default.enumerator(atPath: "\(sources)/\(module)"))
                .compactMap { ($0 as? String).map { "\(module)/\($0)" } }
        }
        var found: Set<String> = []
        for name in files where name.hasSuffix(".swift") {
            let text = try FileText.text("\(sources)/\(name)")
            for match in text.matches(of: /code: "([a-z_]+)"/) { found.insert(String(match.1)) }
            for match in text.matches(of: /(?:problem|badRequest)\(\s*"([a-z_]+)",/) { found.insert(String(match.1)) }
        }
        #expect(found.count > 30, "the search found too little")
        #expect(found.subtracting(Self.all.map(\.code)) == [])
    }

    /// Those of the gateway are looked for in its own tests.
    @Test func `is in Docs API md, with the same statuses`() throws {
        let page = try Repository.text("Docs/API.md")
        for problem in Self.all + [ProblemKind(409, "compaction_running")] {
            let row = page.split(separator: "\n").first { $0.hasPrefix("| ") && $0.contains("`\(problem.code)`") }
            #expect(row?.split(separator: "|")[0].contains("\(problem.status)") == true, "\(problem)")
        }
    }

    @Test func `is where a handler's series begin`() {
        let registry = MetricsRegistry()
        let declaration = HandlerDeclaration("kv_set", [.post, .put], problems: ProblemKind.ofSet)
        _ = HTTPMetrics(registry: registry, declarations: [declaration], nowNanoseconds: 0)
        let text = String(decoding: registry.render(), as: UTF8.self)
        for problem in ProblemKind.ofSet + ProblemKind.ofServer {
            for method in ["POST", "PUT"] {
                let labels = "handler=\"kv_set\",method=\"\(method)\",status=\"\(problem.status)\""
                #expect(text.contains("\nhttp_requests_total{\(labels)} 0\n"), "\(labels)")
            }
            let labels = "handler=\"kv_set\",reason=\"\(problem.code)\""
            #expect(text.contains("\nhttp_request_failures_total{\(labels)} 0\n"), "\(labels)")
        }
        for status in [400, 404, 408, 413, 414, 431, 501, 503, 505] {
            #expect(text.contains("{handler=\"other\",method=\"OTHER\",status=\"\(status)\"} 0\n"), "\(status)")
        }
        #expect(text.contains("{handler=\"kv_set\",method=\"GET\",status=\"405\"} 0\n"))
    }

    @Test func `tells an answer that is not declared`() {
        let set = HandlerDeclaration("kv_set", [.post], problems: ProblemKind.ofSet)
        #expect(set.permits(status: 200, code: nil) && set.permits(status: 507, code: "disk_full"))
        #expect(set.permits(status: 500, code: "internal_error"), "the server's own problems are every handler's")
        #expect(!set.permits(status: 404, code: "key_not_found"))
        #expect(!set.permits(status: 503, code: "disk_full"))
        #expect(!set.permits(status: 201, code: nil))
        let passing = HandlerDeclaration("api_set", [.post], problems: ProblemKind.ofSet, passesProblemsOn: true)
        #expect(passing.permits(status: 429, code: "of_another_version"))
        #expect(!passing.permits(status: 503, code: "disk_full"))
    }
}
