import Foundation
import Glibc
import TestSupport

/// One of the product's programs as a test runs it: the debug build beside the test bundle.
final class ServiceProcess: Sendable {
    enum Program: String, Sendable {
        case kvService = "kv-service"
        case apiGateway = "api-gateway"
        case kvtop, txlog, kvctl

        var path: String { Programs.path(self.rawValue) }
    }

    let program: Program
    let child: ChildProcess

    /// - Parameter wrapper: a command that gets the program and its arguments, such as strace.
    init(
        _ program: Program,
        _ arguments: [String],
        output: String,
        environment: [String: String] = [:],
        wrapper: [String] = []
    ) throws {
        self.program = program
        let command = wrapper + [program.path] + arguments
        self.child = try ChildProcess(command[0], Array(command.dropFirst()), output: output, environment: environment)
    }

    /// The lines of the log so far; a line that is no JSON object is kept as a `text` member.
    var log: [JSONObject] {
        self.child.output.utf8.split(separator: UInt8(ascii: "\n")).compactMap { try? JSONObject($0) }
    }

    /// Waits for a log line with this `message`.
    ///
    /// - Throws: ``TimeoutError`` with the whole output when the program has ended or the time is over.
    @discardableResult
    func waitForLog(_ message: String, seconds: Double = 30) throws -> JSONObject {
        do {
            return try Poll.until("\(self.program.rawValue) logs '\(message)'", seconds: seconds) {
                let ended = self.child.endingIfEnded()
                // To parse all lines each time takes longer than the service needs to write them.
                if self.child.output.contains(message),
                    let line = self.log.first(where: { $0.string("message") == message })
                {
                    return line
                }
                if let ended { throw TimeoutError(description: "\(self.program.rawValue) ended with \(ended)") }
                return nil
            }
        } catch let error as TimeoutError {
            throw TimeoutError(description: "\(error); output:\n\(self.child.output)")
        }
    }

    /// Waits until the service listens; its port.
    func waitForPort() throws -> UInt16 {
        let address = try self.waitForLog("listening").string("address") ?? ""
        guard let port = address.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw TimeoutError(description: "no port in the address '\(address)'")
        }
        return port
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// - Throws: ``TimeoutError`` with the last answer and the end of the log.
    func waitUntilReady(port: UInt16) throws {
        var last = "no answer"
        do {
            _ = try Poll.until("\(self.program.rawValue) is ready") {
                let answer = try HTTPConnection(port: port).request("GET", "/readyz")
                last = answer.text
                return answer.status == 200 ? true : nil
            }
        } catch {
            throw TimeoutError(description: "\(error); /readyz: \(last); log:\n\(self.child.output.suffix(4_000))")
        }
    }

    /// `SIGTERM`, and the exit that follows.
    func stop(seconds: Double = 30) throws -> Ending {
        self.child.signal(SIGTERM)
        return try self.child.waitForEnd(seconds: seconds)
    }

    /// The process that a wrapper such as strace has started.
    func wrapped() throws -> pid_t {
        try Poll.until("process \(self.child.pid) has a child") {
            let children = try FileText.text("/proc/\(self.child.pid)/task/\(self.child.pid)/children")
            return children.split(separator: " ").first.flatMap { pid_t($0) }
        }
    }

    /// `kill -9`; returns when the process is gone.
    func crash() throws {
        self.child.signal(SIGKILL)
        try self.child.waitForEnd()
    }
}
