import Foundation
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    /// The destination of kvtop's output, the source of its input, and its clock, in unusual cases.
    @Suite("kvtop, pipes, full disks and clocks", .timeLimit(.minutes(10)))
    struct DashboardOutputTests {
        private func shell(_ script: String, _ folder: TemporaryFolder) throws -> (ending: Ending, output: String) {
            let child = try ChildProcess(
                "/bin/bash", ["-c", script], output: folder.file("shell-\(UInt32.random(in: 0 ... .max))"),
                environment: ["LANG": "C.UTF-8"])
            return (try child.waitForEnd(seconds: 60), child.output)
        }

        /// With an interval of a second it ends before the next report: it detects the end without a write.
        @Test(arguments: ["", "--json", "--csv"]) func `a report ends when nobody reads it any more`(_ format: String)
            throws
        {
            let service = try FakeKVService()
            let folder = TemporaryFolder()
            let command = Dashboard.command(kv: service.port, "--batch --interval 1s \(format)")
            let (ending, output) = try self.shell(
                "set -o pipefail; \(command) | head -1 >/dev/null; echo \"${PIPESTATUS[0]}\"", folder)
            #expect(ending == .exited(0) && output == "141\n", "\(output)")
        }

        @Test func `output that could not be written is no success`() throws {
            let service = try FakeKVService()
            let folder = TemporaryFolder()
            let once = Dashboard.command(kv: service.port, "--interval 250ms --once")
            let batch = Dashboard.command(kv: service.port, "--interval 250ms --batch")
            for command in [
                once, "\(once) --json", "\(once) --csv", batch, "\(Dashboard.program) --help",
                "\(Dashboard.program) --version", "\(Dashboard.program) --default-config",
                "\(Dashboard.program) --generate-completion-script bash",
            ] {
                let (ending, output) = try self.shell("\(command) >/dev/full", folder)
                #expect(ending == .exited(74), "\(command)")
                #expect(output == "kvtop: standard output cannot be written: No space left on device\n", "\(command)")
            }
        }

        /// A limit of the file size simulates a full disk.
        @Test func `a recording that could not be written is told, and is no success`() throws {
            let service = try FakeKVService()
            let folder = TemporaryFolder()
            let command = Dashboard.command(kv: service.port, "--interval 250ms --batch -n 4 --csv")
            let (ending, output) = try self.shell(
                "ulimit -f 1; \(command) --record \(folder.file("recording"))", folder)
            #expect(ending == .exited(74))
            #expect(output.split(separator: "\n").count { $0.contains(",kv_get,") } == 4, "reports go on: \(output)")
            #expect(output.contains("kvtop: the recording ended: File too large"), "\(output)")
            let none = try self.shell(
                "(ulimit -f 0; \(command) --record \(folder.file("none"))) 2>&1 | cat", folder)
            #expect(none.output.contains("cannot be written: File too large"), "\(none.output)")
            #expect(!FileManager.default.fileExists(atPath: folder.file("none")), "its name is free for another try")
        }

        @Test func `a configuration, a token and a recording may come through pipes, piece by piece`() throws {
            let service = try FakeKVService()
            let folder = TemporaryFolder()
            let pieces =
                #"printf '{"kv":'; sleep 0.1; printf '"http://127.0.0.1:\#(service.port)",'; sleep 0.1; "#
                + #"echo '"gateway":"none","interval":"250ms"}'"#
            let token = "printf 012345; sleep 0.1; printf 6789abcdef"
            let record = try self.shell(
                "\(Dashboard.program) --config <(\(pieces)) --admin-token-file <(\(token)) --batch -n 3 --csv"
                    + " --record \(folder.file("recording"))", folder)
            #expect(record.ending == .exited(0), "\(record.output)")
            let replay = try self.shell(
                "mkfifo \(folder.file("fifo")); (head -c 300; sleep 0.1; cat) <\(folder.file("recording"))"
                    + " >\(folder.file("fifo")) & \(Dashboard.program) --replay \(folder.file("fifo")) --batch --csv",
                folder)
            #expect(replay.ending == .exited(0), "\(replay.output)")
            let rows = [record, replay].map { $0.output.split(separator: "\n") }
            // A replay also prints the first poll, of which a live report has no figures yet.
            #expect(rows[0].count == 1 + 3 * 2 && rows[0].dropFirst() == rows[1].dropFirst(2), "\(rows)")
            for (text, reason) in [
                (#"printf '{"kv":'"#, "is not one JSON object: the text ends early at byte 6"),
                ("head -c 1048577 /dev/zero", "is larger than 1048576 bytes"),
            ] {
                let wrong = try self.shell("\(Dashboard.program) --config <(\(text)) --once", folder)
                #expect(wrong.ending == .exited(78) && wrong.output.contains(reason), "\(wrong.output)")
            }
            let unread = try Dashboard.run(["--config", folder.path, "--once"], folder: folder)
            #expect(unread.ending == .exited(78) && unread.output.contains("cannot be read: Is a directory"))
            let folderReplay = try Dashboard.run(["--replay", folder.path, "--once"], folder: folder)
            #expect(folderReplay.ending == .exited(74) && folderReplay.output.contains("Is a directory"))
        }

        /// Sets the clock of kvtop only, back and forward by hours.
        @Test(.enabled(if: FakedClock.library != nil, "libfaketime is not installed"))
        func `goes on when the wall clock is set`() throws {
            let service = try FakeKVService()
            let folder = TemporaryFolder()
            let clock = try FakedClock(folder.file("clock"))
            let child = try ChildProcess(
                FakedClock.wrapper, [Dashboard.program, "--batch", "-n", "10", "--csv"], output: folder.file("output"),
                environment: clock.environment.merging([
                    "KVTOP_KV": "http://127.0.0.1:\(service.port)", "KVTOP_GATEWAY": "none", "KVTOP_INTERVAL": "250ms",
                ]) { _, own in own })
            func reports(_ output: String) -> Int { output.split(separator: "\n").count { $0.contains(",kv_get,") } }
            for step in ["-3h", "+5h", "-1h"] {
                let before = reports(child.output)
                _ = try Poll.until("reports go on") { reports(child.output) > before ? true : nil }
                try clock.set(step)
            }
            #expect(try child.waitForEnd(seconds: 20) == .exited(0))
            let rows = child.output.split(separator: "\n").filter { $0.contains(",kv_get,") }
            #expect(Set(rows.map { $0.prefix(13) }).count > 1, "the clock was set: \(rows)")
            for row in rows {
                let fields = row.split(separator: ",", omittingEmptySubsequences: false)
                #expect(fields[2] == "up" && (Double(fields[6]) ?? -1) > 0, "\(row)")
                #expect((0.2...30).contains(Double(fields[4]) ?? -1), "the window: \(row)")
            }
        }

        /// The head arrives immediately, but not the whole body.
        @Test func `an answer that does not come to its end is waited for no longer than a poll has time`() throws {
            let service = try FakeKVService()
            service.state.withLock { $0.keepsBodyBack = true }
            let folder = TemporaryFolder()
            let (ending, output) = try self.shell(
                Dashboard.command(kv: service.port, "--interval 250ms --once"), folder)
            #expect(ending == .exited(1) && output.contains("timed out"), "\(ending): \(output)")
        }

        @Test func `a service that takes longer to answer than the interval is up`() throws {
            let service = try FakeKVService()
            service.state.withLock { $0.delayMilliseconds = 600 }
            let folder = TemporaryFolder()
            let (ending, output) = try self.shell(
                Dashboard.command(kv: service.port, "--interval 250ms --batch -n 2 --csv"), folder)
            #expect(ending == .exited(0))
            #expect(output.split(separator: "\n").count { $0.contains(",kv,up,") } == 4, "\(output)")
        }
    }
}
