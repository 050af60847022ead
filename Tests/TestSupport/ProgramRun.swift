import Dispatch
import Foundation
import Glibc

/// One run of a program to its end.
package struct ProgramRun: Sendable {
    /// The exit code, or the number of the signal that ended it.
    package let status: Int32
    package let bytes: [UInt8]
    package let error: String

    package var output: String { String(decoding: self.bytes, as: UTF8.self) }

    private static let secondsToEnd = 60

    /// - Parameters:
    ///   - program: one of ``Programs``.
    ///   - setting: a command of the shell that comes first, such as one that sets a limit.
    ///   - input: standard input, which is a file.
    /// - Throws: ``TimeoutError`` if it has not ended within a minute; it is killed then.
    package init(
        _ program: String, under setting: String = ":", arguments: [String], input: [UInt8] = [],
        environment: [String: String] = [:]
    ) throws {
        let folder = TemporaryFolder()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "\(setting); exec \"$@\"", "sh", Programs.path(program)] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, given in given }
        try FileText.write(bytes: input, to: folder.file("in"))
        for name in ["out", "err"] { try FileText.write(bytes: [], to: folder.file(name)) }
        process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: folder.file("in")))
        process.standardOutput = FileHandle(forWritingAtPath: folder.file("out"))
        process.standardError = FileHandle(forWritingAtPath: folder.file("err"))
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        try process.run()
        if ended.wait(timeout: .now() + .seconds(Self.secondsToEnd)) != .success {
            kill(process.processIdentifier, SIGKILL)
            throw TimeoutError(
                description: "\(program) \(arguments) has not ended within \(Self.secondsToEnd) s")
        }
        self.status = process.terminationStatus
        self.bytes = try FileText.bytes(folder.file("out"))
        self.error = try FileText.text(folder.file("err"))
    }

    /// The output as one JSON object.
    package var json: JSONObject {
        get throws { try JSONObject(self.bytes) }
    }
}
