import Foundation
import Glibc
import Synchronization
import TestSupport

/// How a process ended.
enum Ending: Equatable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)

    var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .killed(let signal): "signal \(signal)"
        }
    }
}

/// One program that a test started. It is killed when the test lets go of it, or dies.
final class ChildProcess: Sendable {
    let pid: pid_t
    /// The file with all that the program wrote to standard output and standard error.
    let outputPath: String
    private let ending = Mutex<Ending?>(nil)

    init(_ path: String, _ arguments: [String], output: String, environment: [String: String] = [:]) throws {
        self.outputPath = output
        self.pid = try Spawn.process(path, arguments, output: output, environment: environment)
        Guardian.shared.watch(self.pid)
    }

    deinit {
        if self.endingIfEnded() == nil {
            self.signal(SIGKILL)
            _ = try? self.waitForEnd()
        }
    }

    /// Sends a signal, if the program has not ended.
    func signal(_ number: Int32) {
        self.ending.withLock { ending in
            if ending == nil { kill(self.pid, number) }
        }
    }

    /// Stops the program until it gets `SIGCONT`. When this returns none of its threads runs any more: the signal alone
    /// is on its way then, and on a busy machine a thread may go on for milliseconds.
    func pause() throws {
        self.signal(SIGSTOP)
        let threads = "/proc/\(self.pid)/task"
        _ = try Poll.until("all threads of process \(self.pid) have stopped") {
            let states = try FileManager.default.contentsOfDirectory(atPath: threads).compactMap { thread in
                // After the name, which is in parentheses and may have any in it.
                try? FileText.text("\(threads)/\(thread)/stat").split(separator: ")").last?.dropFirst().first
            }
            return states.allSatisfy { $0 == "T" } ? true : nil
        }
    }

    func endingIfEnded() -> Ending? {
        self.ending.withLock { ending in
            if ending == nil {
                var status: Int32 = 0
                guard waitpid(self.pid, &status, WNOHANG) == self.pid else { return nil }
                Guardian.shared.forget(self.pid)
                let signal = status & 0x7f
                ending = signal == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: signal)
            }
            return ending
        }
    }

    /// - Throws: ``TimeoutError`` when the program still runs after `seconds`.
    @discardableResult
    func waitForEnd(seconds: Double = 30) throws -> Ending {
        try Poll.until("process \(self.pid) has ended", seconds: seconds) { self.endingIfEnded() }
    }

    var output: String {
        (try? FileText.text(self.outputPath)) ?? ""
    }
}
