import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// The output of kvtop without a screen.
    @Suite("kvtop's reports", .timeLimit(.minutes(10)))
    struct DashboardReportTests {
        @Test func `without a terminal says what to use instead`() throws {
            let folder = TemporaryFolder()
            let (ending, output) = try Dashboard.run([], folder: folder)
            #expect(ending == .exited(69))
            #expect(output == "kvtop: standard output is not a terminal; use --once or --batch\n")
        }

        @Test func `--once prints a screen, --json one document with raw numbers`() throws {
            let service = try FakeKVService()
            let folder = TemporaryFolder()
            let arguments = [
                "--kv", "http://127.0.0.1:\(service.port)", "--gateway", "none", "--interval", "250ms", "--once",
            ]
            let (ending, output) = try Dashboard.run(arguments + ["--size", "80x24"], folder: folder)
            #expect(ending == .exited(0))
            #expect(!output.contains("\u{1B}"))
            #expect(output.split(separator: "\n", omittingEmptySubsequences: false).count == 25)
            #expect(output.contains("kv_get") && output.contains("garbage 990M 29.0%"))
            let (_, json) = try Dashboard.run(arguments + ["--json"], folder: folder)
            let document = try #require(
                try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
            let target = try #require((document["targets"] as? [[String: Any]])?.first)
            #expect(target["availability"] as? String == "up")
            #expect((target["log"] as? [String: Any])?["garbage_ratio"] as? Double == 0.2895)
            #expect(((target["data_total"] as? [String: Any])?["requests_per_second"] as? Double ?? 0) > 0)
        }

        @Test func `--csv prints a header once and a line for each handler`() throws {
            let service = try FakeKVService()
            let folder = TemporaryFolder()
            let (ending, output) = try Dashboard.run(
                [
                    "--kv", "http://127.0.0.1:\(service.port)", "--gateway", "none", "--interval", "250ms", "--batch",
                    "-n", "2", "--csv",
                ], folder: folder)
            #expect(ending == .exited(0))
            let rows = output.split(separator: "\n").map {
                $0.split(separator: ",", omittingEmptySubsequences: false)
            }
            #expect(rows.count == 1 + 2 * 2 && rows[0].first == "at" && rows.allSatisfy { $0.count == 12 }, "\(output)")
            #expect(rows.dropFirst().map { $0[3] } == ["kv_get", "data total", "kv_get", "data total"])
            #expect(rows.dropFirst().allSatisfy { Double($0[6]) ?? 0 > 0 && $0[7] == "0.0" }, "\(output)")
        }

        @Test func `--once of a service that is down exits with 2, and its numbers are null`() throws {
            let folder = TemporaryFolder()
            let port = try FreePort.find()
            let arguments = ["--kv", "http://127.0.0.1:\(port)", "--gateway", "none", "--interval", "250ms", "--once"]
            let (ending, output) = try Dashboard.run(arguments, folder: folder)
            #expect(ending == .exited(1))
            #expect(output.contains("DOWN") && output.contains("connection refused"))
            let (_, json) = try Dashboard.run(arguments + ["--json"], folder: folder)
            #expect(json.contains(#""availability":"down""#) && json.contains(#""keys":null"#))
            #expect(json.contains(#""data_total":null"#))
        }

        @Test func `--batch -n prints as many documents, and a recording replays to the same numbers`() throws {
            let service = try FakeKVService()
            let folder = TemporaryFolder()
            let file = folder.file("recording.jsonl")
            let (ending, live) = try Dashboard.run(
                [
                    "--kv", "http://127.0.0.1:\(service.port)", "--gateway", "none", "--interval", "250ms", "--batch",
                    "-n",
                    "3", "--json", "--record", file,
                ], folder: folder)
            #expect(ending == .exited(0))
            #expect(live.split(separator: "\n").count == 3)
            // A replay also prints the first poll, of which a live report has no figures yet.
            let (end, replayed) = try Dashboard.run(["--replay", file, "--batch", "--json"], folder: folder)
            #expect(end == .exited(0))
            #expect(replayed.split(separator: "\n").dropFirst() == live.split(separator: "\n")[...])
            let (_, last) = try Dashboard.run(["--replay", file, "--once", "--json"], folder: folder)
            #expect(last.split(separator: "\n") == live.split(separator: "\n").suffix(1))
            let screens = try (0..<2).map { _ in try Dashboard.run(["--replay", file, "--once"], folder: folder).output
            }
            #expect(screens[0] == screens[1] && screens[0].contains("REPLAY"))
        }

        private static let wrongArguments: [(Int32, [String])] = [
            (64, ["--size", "big"]), (64, ["--json"]), (64, ["--csv"]), (64, ["--speed", "nan"]), (64, ["--seek=-1"]),
            (64, ["--batch", "-n", "0"]), (64, ["--nonsense"]), (78, ["--interval", "soon"]),
            (78, ["--kv", "ftp://x"]),
            (78, ["--theme", "pink"]), (78, ["--kv", "none", "--gateway", "none"]), (78, ["--config", "/nowhere"]),
        ]

        @Test(arguments: wrongArguments)
        func `wrong arguments are an error that names them, with an exit code of their kind`(
            code: Int32, arguments: [String]
        ) throws {
            let folder = TemporaryFolder()
            let (ending, output) = try Dashboard.run(arguments, folder: folder)
            #expect(ending == .exited(code))
            #expect(output.contains("Error: "))
        }

        @Test
        func `a flag overrides the environment, and that the configuration file; errors say where a value is from`()
            throws
        {
            let service = try FakeKVService()
            let folder = TemporaryFolder()
            try FileText.write(
                #"{"kv": "http://127.0.0.1:1", "gateway": "none", "interval": "300ms", "threshold-p99-seconds": "1,2"}"#,
                to: folder.file("kvtop.json"))
            let environment = ["KVTOP_KV": "http://127.0.0.1:1", "KVTOP_CONFIG": folder.file("kvtop.json")]
            func run(
                _ arguments: [String], _ more: [String: String] = [:]
            ) throws -> (ending: Ending, output: String) {
                try Dashboard.run(
                    arguments + ["--once", "--json"], environment: environment.merging(more) { $1 }, folder: folder)
            }
            let kv = ["--kv", "http://127.0.0.1:\(service.port)"]
            #expect(try run(kv).ending == .exited(0), "the flag has the address that answers")
            #expect(try run([]).ending == .exited(1), "the environment's address does not")
            #expect(try run([], ["KVTOP_KV": "http://127.0.0.1:\(service.port)"]).ending == .exited(0))
            let (ending, output) = try run(
                kv + ["--interval", "soon", "--theme", "pink"],
                ["KVTOP_READ_ONLY": "yes", "KVTOP_INTERVALL": "1s", "KVTOP_THRESHOLD_P99_SECONDS": "2,1"])
            #expect(ending == .exited(78))
            for part in [
                "--interval: 'soon' is not a duration such as 250ms, 10s or 1m, from 250ms to 10s (from flag --interval)",
                "--theme: 'pink' is not one of dark, light, mono, high-contrast (from flag --theme)",
                "--read-only: 'yes' is not true or false (from environment variable KVTOP_READ_ONLY)",
                "--threshold-p99-seconds: '2,1' is not two numbers",
            ] {
                #expect(output.contains(part), "'\(part)' is missing in:\n\(output)")
            }
            let warned = try run(kv, ["KVTOP_INTERVALL": "1s"])
            #expect(
                warned.ending == .exited(0)
                    && warned.output.contains("warning: environment variable KVTOP_INTERVALL is not"))
        }

        @Test func `--version, --help and the defaults of the configuration are printed`() throws {
            let folder = TemporaryFolder()
            #expect(try Dashboard.run(["--version"], folder: folder).output.hasPrefix("kvtop 0."))
            let help = try Dashboard.run(["--help"], folder: folder)
            #expect(help.ending == .exited(0))
            #expect(help.output.contains("--replay") && help.output.contains("Exit codes:"))
            #expect(help.output.contains("[KVTOP_INTERVAL, default 1s]"))
            let defaults = try Dashboard.run(["--default-config"], folder: folder)
            try FileText.write(defaults.output, to: folder.file("kvtop.json"))
            let service = try FakeKVService()
            let read = try Dashboard.run(
                [
                    "--config", folder.file("kvtop.json"), "--kv", "http://127.0.0.1:\(service.port)", "--gateway",
                    "none",
                    "--interval", "250ms", "--once",
                ], folder: folder)
            #expect(read.ending == .exited(0))
            let completion = try Dashboard.run(["--generate-completion-script", "bash"], folder: folder)
            #expect(completion.ending == .exited(0) && completion.output.contains("complete"))
        }
    }
}
