import TestSupport
import Testing

extension EndToEnd {
    /// kvtop as an operator uses it.
    ///
    /// The requirements of the dashboard, and the tests that show them; `DashboardTests` contains its own:
    ///
    /// 1. Starts immediately with both services down, shows why, and shows each as soon as it answers:
    ///    `DashboardOutages`.
    /// 2. A killed kv-service is stale, then down; keys still work: `DashboardOutages`, `AvailabilityTests`.
    /// 3. After a restart no rate is negative or huge, the graph has a gap: `DashboardOutages`, `RateTests`.
    /// 4. An unknown figure is `--`, nothing to compute is `-`, neither is 0: `GoldenScreenTests`.
    /// 5. Quantiles equal those of a reference: `QuantileTests`, `DashboardFigures`.
    /// 6. Screens of all sizes in UTF-8, ASCII and mono: `GoldenScreenTests`.
    /// 7. Every size can be drawn; below the minimum it says so, and `q` works: `AnySizeTests`, `DashboardScreen`.
    /// 8. Resizing redraws immediately, without leftovers: `DashboardScreen`.
    /// 9. The terminal is restored however kvtop ends, and around Ctrl-Z: `DashboardEndings`.
    /// 10. Closing the terminal ends the process: `DashboardEndings`.
    /// 11. Limited terminals work, or are refused with one line: `DashboardTerminals`.
    /// 12. Pause freezes the screen but not the polling: `DashboardScreen`, `KeyTests`.
    /// 13. `c` and `y` start one compaction, watched to its end: `DashboardCompaction`, `KeyTests`.
    /// 14. `--once`, `--json`, `--csv`, `--batch`, and their exit codes: `DashboardReports`.
    /// 15. A recording replays to the same screens, in bounded memory: `DashboardReports`, `RecordingTests`;
    ///     `Benchmarks/dashboard-cost` measures the cost of kvtop.
    enum Dashboard {
        static let program = ServiceProcess.Program.kvtop.path

        /// The line for a shell.
        static func command(kv: UInt16, gateway: UInt16? = nil, _ flags: String = "--interval 250ms") -> String {
            let address = gateway.map { "http://127.0.0.1:\($0)" } ?? "none"
            return "\(self.program) --kv http://127.0.0.1:\(kv) --gateway \(address) \(flags)"
        }

        /// A terminal in which kvtop shows a service, and which prints its exit code as `0=code`.
        static func onTerminal(
            _ service: FakeKVService, _ flags: String = "", environment: [String: String] = [:],
            term: String = "tmux-256color"
        ) throws -> Tmux {
            let terminal = try Tmux(environment: environment, term: term)
            try terminal.enter("\(self.command(kv: service.port, "--interval 250ms \(flags)")); echo \"$?=code\"")
            return terminal
        }

        /// Runs kvtop without a terminal until it ends.
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
