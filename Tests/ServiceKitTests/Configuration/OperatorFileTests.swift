import Foundation
import Glibc
import NIOHTTP1
import Testing

@testable import Admin
@testable import HTTP1
@testable import HTTPServing
@testable import ServiceSettings

@Suite("Files that an operator names", .timeLimit(.minutes(1)))
struct OperatorFileTests {
    /// A named pipe; the pieces come in separate writes, each after the previous one was read.
    private func withPipe<Result>(_ pieces: [String], _ body: (String) throws -> Result) throws -> Result {
        let path = "/tmp/txlog-kv-pipe-\(UUID().uuidString)"
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        let written = Thread {
            // A reader that closes early is a failed test, and must not end all tests.
            var pipe = sigset_t()
            sigemptyset(&pipe)
            sigaddset(&pipe, SIGPIPE)
            pthread_sigmask(SIG_BLOCK, &pipe, nil)
            let descriptor = open(path, O_WRONLY)
            for piece in pieces {
                _ = write(descriptor, piece, piece.utf8.count)
                // Until it is read, or the reader gives up.
                var waiting: Int32 = 1
                let deadline = ContinuousClock.now + .seconds(5)
                while ContinuousClock.now < deadline, ioctl(descriptor, UInt(FIONREAD), &waiting) == 0, waiting > 0 {
                    usleep(1_000)
                }
            }
            close(descriptor)
        }
        written.start()
        return try body(path)
    }

    @Test func `a configuration from a pipe is read to its end`() throws {
        let settings = try self.withPipe([#"{"sync": "ne"#, #"ver", "least-keys""#, ": 3}"]) { path in
            try ExampleSettings.table.resolve(flags: ["config": path], environment: [:])
        }
        #expect(settings[ExampleSettings.mode] == .never)
        #expect(settings[ExampleSettings.least] == 3)
    }

    @Test func `a token from a pipe is read to its end`() throws {
        let token = "0123456789abcdef0123456789abcdef"
        let pieces = [String(token.prefix(20)), String(token.dropFirst(20)), "\n"]
        let authorization = try self.withPipe(pieces) { try AdminAuthorization(tokenFile: $0) }
        let request = Self.request(authorization: "Bearer \(token)")
        #expect(throws: Never.self) { try authorization.check(request) }
        let half = Self.request(authorization: "Bearer \(token.prefix(20))")
        #expect(throws: Problem.self) { try authorization.check(half) }
    }

    private static func request(authorization: String) -> HTTPRequest {
        HTTPRequest.sample(.post, fields: [(name: "Authorization", value: authorization)])
    }

    @Test func `what never ends is given up at the limit`() {
        #expect(throws: OperatorFileError("is larger than 100000 bytes")) {
            try OperatorFile.read("/dev/zero", limitBytes: 100_000)
        }
        #expect(throws: AdminTokenError.self) { try AdminAuthorization(tokenFile: "/dev/zero") }
    }

    @Test func `what is not there, or no file, is named`() {
        #expect(throws: OperatorFileError("cannot be opened: No such file or directory")) {
            try OperatorFile.read("/nowhere/at/all", limitBytes: 1)
        }
        #expect(throws: OperatorFileError("cannot be read: Is a directory")) {
            try OperatorFile.read("/", limitBytes: 1)
        }
    }
}
