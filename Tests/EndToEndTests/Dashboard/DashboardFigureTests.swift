import TestSupport
import Testing

extension EndToEnd {
    /// Computes kvtop's figures without any code of kvtop: rates, ratios and quantiles over restarts, decreasing
    /// counters, missed polls, and observations above the highest bound.
    @Suite("kvtop's figures", .timeLimit(.minutes(10)))
    struct DashboardFigureTests {
        @Test(arguments: 1...2) func `are those of a reference computation on the same scrapes`(_ seed: Int) throws {
            let agreement = try DashboardReference.compare(["--make", "\(seed)"], in: TemporaryFolder())
            #expect(agreement.contains("figures of 400 documents agree"))
            #expect(!agreement.contains(" 0 restarts") && !agreement.contains(" 0 missed polls"))
            #expect(!agreement.contains(" 0 quantiles above"))
        }
    }
}

enum DashboardReference {
    private static let script = Repository.path("Tests/Tools/dashboard-reference")

    /// The script's output; no figure differs.
    static func compare(_ arguments: [String], in folder: TemporaryFolder) throws -> String {
        let child = try ChildProcess(
            Self.script, [EndToEnd.Dashboard.program] + arguments, output: folder.file("reference"))
        let ending = try child.waitForEnd(seconds: 300)
        #expect(ending == .exited(0), "\(child.output)")
        return child.output
    }
}
