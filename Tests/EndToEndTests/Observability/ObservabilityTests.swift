import Glibc
import TestSupport
import Testing

extension EndToEnd {
    /// The checks of Tests/Observability, which run the programs, a real Prometheus and faults.
    @Suite("Rules, boards and alerts", .timeLimit(.minutes(10)))
    struct ObservabilityTests {
        private func run(_ check: String, _ arguments: [String], seconds: Double) throws {
            let folder = TemporaryFolder()
            let child = try ChildProcess(
                Repository.path("Tests/Observability/\(check)"), arguments, output: folder.file("output"))
            let ending = try child.waitForEnd(seconds: seconds)
            #expect(ending == .exited(0), "\(check): \(ending)\n\(child.output)")
            print(child.output)
        }

        private var programs: String {
            Programs.folder
        }

        @Test(.enabled(if: Programs.installed("promtool") != nil, "promtool is not installed"))
        func `every rule is valid, and every alert has its tests and its section in the runbook`() throws {
            try self.run("check-rules", [], seconds: 120)
        }

        @Test(
            .enabled(
                if: Programs.installed("prometheus") != nil && Programs.installed("strace") != nil,
                "a tool is not installed"))
        func `every query of the boards finds data in a Prometheus that has scraped both services`() throws {
            try self.run("check-boards", [self.programs], seconds: 300)
        }

        @Test(
            .enabled(
                if: Programs.installed("prometheus") != nil && Programs.installed("wrk") != nil,
                "a tool is not installed"))
        func `rates and p99 in Prometheus are those that wrk measures at the same requests`() throws {
            try self.run("check-figures", [self.programs], seconds: 180)
        }

        @Test(.enabled(if: Programs.installed("prometheus") != nil, "prometheus is not installed"))
        func `with native histograms the buckets are kept, or an alert says that they are missing`() throws {
            try self.run("check-native-histograms", [self.programs], seconds: 120)
        }

        @Test(.enabled(if: Programs.installed("wrk") != nil, "wrk is not installed"))
        func `figures of wrk are of requests that it has sent and got answers to`() throws {
            try self.run("../Tools/test_wrk_figures.py", [], seconds: 60)
        }

        @Test(
            .enabled(
                if: Programs.installed("prometheus") != nil && Programs.installed("strace") != nil,
                "a tool is not installed"))
        func `real faults raise the alerts that stand for them, and no others`() throws {
            try self.run("check-alerts", [self.programs], seconds: 300)
        }
    }
}
