import Glibc
import KVService
import ServiceKit
import ServiceSettings
import Synchronization
import TestSupport
import Testing

@testable import SystemSupport

/// A kv-service in the test process: the whole program, without its command line, on a free port and a folder of its own.
/// It runs from the first test of the suite to the last one. There is one such suite: the service takes the signals of the
/// process and its metrics, and stops when it gets `SIGTERM`.
struct ServiceInProcess: SuiteTrait, TestScoping {
    @TaskLocal static var port: UInt16 = 0

    /// The limits that the tests use.
    static let maxKeyBytes = 64
    static let maxValueBytes = 4_096

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let folder = TemporaryFolder()
        let port = try FreePort.find()
        let settings = try KVProgram.settings.resolve(
            flags: [
                "listen": "127.0.0.1:\(port)", "data-dir": folder.file("kv"), "segment-bytes": "1MiB",
                "event-loops": "1", "log-level": "critical", "compact-min-bytes": "1024GiB", "max-connections": "64",
                "max-key-bytes": "\(Self.maxKeyBytes)", "max-value-bytes": "\(Self.maxValueBytes)",
            ], environment: [:])
        let service = Task { await KVProgram.serve(settings, .init(limit: 4_096, inherited: 0)) }
        try await Poll.eventually("kv-service is ready") {
            // Nobody listens at first.
            guard let connection = try? HTTPConnection(port: port) else { return false }
            return try connection.request("GET", "/readyz").status == 200
        }
        var failure: (any Error)?
        do { try await Self.$port.withValue(port) { try await function() } } catch { failure = error }
        kill(getpid(), SIGTERM)
        #expect(await service.value == .success)
        // It has taken them; the rest of the run ends by them as before.
        for number in [SIGTERM, SIGINT] { signal(number, SIG_DFL) }
        if let failure { throw failure }
    }
}

extension Trait where Self == ServiceInProcess {
    static var serviceInProcess: Self { Self() }
}

/// The suites whose tests send requests to a kv-service in the test process.
@Suite("A kv-service in this process", .serialized, .serviceInProcess)
enum InProcess {}
