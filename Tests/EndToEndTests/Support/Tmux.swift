import Glibc
import Synchronization
import TestSupport
import Testing

/// A terminal of a given size, by tmux: a shell in it, keys sent to it, its screen read.
final class Tmux: Sendable {
    static let path: String? = {
        let folders = String(cString: getenv("PATH")).split(separator: ":")
        return folders.map { "\($0)/tmux" }.first { access($0, X_OK) == 0 }
    }()

    private static let numbers = Atomic<Int>(0)
    private let folder: TemporaryFolder
    private let socket: String
    let serverPID: pid_t

    /// Starts a terminal with a shell whose prompt is `ready>`.
    init(columns: Int = 80, rows: Int = 24, environment: [String: String] = [:], term: String = "tmux-256color") throws
    {
        let folder = TemporaryFolder()
        self.folder = folder
        self.socket = folder.file("tmux.sock")
        try FileText.write("set -g default-terminal \(term)\nset -g escape-time 0\n", to: folder.file("tmux.conf"))
        var variables = ["LANG": "C.UTF-8", "HOME": folder.path]
        variables.merge(environment) { _, given in given }
        let assignments = variables.map { "\($0.key)=\($0.value)" }.sorted()
        _ = try Self.run(
            folder,
            [
                "-S", self.socket, "-f", folder.file("tmux.conf"), "-u", "new-session", "-d", "-x", "\(columns)", "-y",
                "\(rows)", "env", "-i", "PATH=\(String(cString: getenv("PATH")))", "TERM=\(term)", "PS1=ready> ",
                "HISTFILE=",
            ] + assignments + ["bash", "--norc", "--noprofile", "-i"])
        let pid = try Self.run(folder, ["-S", self.socket, "display-message", "-p", "#{pid}"])
        self.serverPID = pid_t(pid.filter(\.isNumber)) ?? 0
        Guardian.shared.watch(self.serverPID)
        try self.wait("the shell is ready") { $0.contains("ready>") }
    }

    deinit {
        _ = try? Self.run(self.folder, ["-S", self.socket, "kill-server"])
        Guardian.shared.forget(self.serverPID)
    }

    private static func run(_ folder: TemporaryFolder, _ arguments: [String]) throws -> String {
        let output = folder.file("out-\(Self.numbers.wrappingAdd(1, ordering: .relaxed).newValue)")
        let child = try ChildProcess(
            try #require(self.path), arguments, output: output,
            environment: ["LANG": "C.UTF-8", "TERM": "xterm-256color"])
        let ending = try child.waitForEnd(seconds: 20)
        guard ending == .exited(0) else {
            throw TimeoutError(description: "tmux \(arguments.joined(separator: " ")): \(ending) \(child.output)")
        }
        return child.output
    }

    /// A file in the home folder of the shell.
    func home(_ name: String) -> String { self.folder.file(name) }

    /// Types text as it is.
    func type(_ text: String) throws {
        _ = try Self.run(self.folder, ["-S", self.socket, "send-keys", "-l", text])
    }

    /// Sends bytes at once, as a terminal sends a sequence.
    func send(_ bytes: String) throws {
        let digits = bytes.utf8.map { String($0, radix: 16) }
        _ = try Self.run(self.folder, ["-S", self.socket, "send-keys", "-H"] + digits)
    }

    /// Types a line for the shell.
    func enter(_ line: String) throws {
        try self.type(line)
        try self.press("Enter")
    }

    /// Presses keys by tmux's names: `C-c`, `Tab`, `Escape`.
    func press(_ keys: String...) throws {
        _ = try Self.run(self.folder, ["-S", self.socket, "send-keys"] + keys)
    }

    func resize(columns: Int, rows: Int) throws {
        _ = try Self.run(self.folder, ["-S", self.socket, "resize-window", "-x", "\(columns)", "-y", "\(rows)"])
    }

    /// The screen as text; with `withAttributes` with the sequences that make its colours.
    func screen(withAttributes: Bool = false) throws -> String {
        try Self.run(
            self.folder, ["-S", self.socket, "capture-pane", "-p"] + (withAttributes ? ["-e"] : []))
    }

    /// Alternate screen on, cursor shown, mouse reported: 1 or 0 each.
    func flags() throws -> String {
        try self.number("#{alternate_on}#{cursor_flag}#{mouse_any_flag}")
    }

    private func number(_ format: String) throws -> String {
        try Self.run(self.folder, ["-S", self.socket, "display-message", "-p", format]).filter(\.isNumber)
    }

    /// The process of this name that the shell has started.
    func process(_ name: String) throws -> pid_t {
        let shell = try self.number("#{pane_pid}")
        return try Poll.until("the shell runs \(name)") {
            let children = try FileText.text("/proc/\(shell)/task/\(shell)/children")
            return children.split(separator: " ").compactMap { pid_t($0) }.first { pid in
                (try? FileText.text("/proc/\(pid)/comm")) == "\(name)\n"
            }
        }
    }

    /// Waits until the screen is as `condition` wants it; the screen.
    @discardableResult
    func wait(_ what: String, seconds: Double = 30, _ condition: (String) -> Bool) throws -> String {
        var last = ""
        do {
            return try Poll.until(what, seconds: seconds) {
                last = try self.screen()
                return condition(last) ? last : nil
            }
        } catch let error as TimeoutError {
            throw TimeoutError(description: "\(error); the screen:\n\(last)")
        }
    }

    /// How long the screen takes to be as `condition` wants it after a key; the time of the tmux commands is in it.
    func answerTime(_ key: String, _ condition: (String) -> Bool) throws -> Duration {
        let begin = ContinuousClock.now
        try self.press(key)
        try self.wait("an answer to \(key)", condition)
        return ContinuousClock.now - begin
    }

    /// Closes the terminal, as when a connection to it is lost.
    func hangUp() throws {
        _ = try Self.run(self.folder, ["-S", self.socket, "kill-server"])
    }
}
