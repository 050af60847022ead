import TestSupport
import Testing

extension EndToEnd {
    /// kvtop as an operator has it.
    ///
    /// What a dashboard must be able to do, and the tests that show it; those of `DashboardTests` are in that module:
    ///
    /// 1. Starts at once with both services down, says why, turns up by itself: `DashboardOutages`.
    /// 2. A kv-service that is killed is stale, then down; keys are answered: `DashboardOutages`, `AvailabilityTests`.
    /// 3. After a restart no rate is negative or giant, the graph has a gap: `DashboardOutages`, `RateTests`.
    /// 4. What is not known is `--`, nothing to compute is `-`, neither is 0: `GoldenScreenTests`.
    /// 5. Quantiles as a reference computes them: `QuantileTests`, `DashboardFigures`.
    /// 6. Screens of all sizes in UTF-8, ASCII and mono: `GoldenScreenTests`.
    /// 7. Any size draws; below the least it says so, and `q` works: `AnySizeTests`, `DashboardScreen`.
    /// 8. Resizing redraws at once, without leftovers: `DashboardScreen`.
    /// 9. The terminal is given back whatever ends kvtop, and around Ctrl-Z: `DashboardEndings`.
    /// 10. A terminal that goes away ends the process: `DashboardEndings`.
    /// 11. Poor terminals are used as they are, or refused in a line: `DashboardTerminals`.
    /// 12. Pause freezes the screen and not the polling: `DashboardScreen`, `KeyTests`.
    /// 13. `c` and `y` start one compaction, watched to its end: `DashboardCompaction`, `KeyTests`.
    /// 14. `--once`, `--json`, `--csv`, `--batch`, and their exit codes: `DashboardReports`.
    /// 15. A recording replays to the same screens, in bounded memory: `DashboardReports`, `RecordingTests`; what kvtop
    ///     costs is measured by `Benchmarks/dashboard-cost`.
    enum Dashboard {
        static let program = ServiceProcess.Program.kvtop.path

        /// The line for a shell.
        static func command(kv: UInt16, gateway: UInt16? = nil, _ flags: String = "--interval 250ms") -> String {
            let address = gateway.map { "http://127.0.0.1:\($0)" } ?? "none"
            return "\(self.program) --kv http://127.0.0.1:\(kv) --gateway \(address) \(flags)"
        }

        /// A terminal in which kvtop watches a service, and which tells its exit code as `0=code`.
        static func onTerminal(
            _ service: FakeKVService, _ flags: String = "", environment: [String: String] = [:],
            term: String = "tmux-256color"
        ) throws -> Tmux {
            let terminal = try Tmux(environment: environment, term: term)
            try terminal.enter("\(self.command(kv: service.port, "--interval 250ms \(flags)")); echo \"$?=code\"")
            return terminal
        }

        /// Runs kvtop without a terminal, to its end.
        static func run(
            _ arguments: [String], environment: [String: String] = ["LANG": "C.UTF-8"], folder: TemporaryFolder
        ) throws -> (ending: Ending, output: String) {
            let child = try ChildProcess(
                self.program, arguments, output: folder.file("kvtop-\(UInt32.random(in: 0 ... .max))"),
                environment: environment)
            return (try child.waitForEnd(seconds: 60), child.output)
        }
    }
}
