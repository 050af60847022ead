import Glibc
import TestSupport
import Testing

@testable import AccessControl

@Suite("Loading the file with access keys", .timeLimit(.minutes(1)))
struct AccessKeyFileTests {
    private let folder = TemporaryFolder()

    private func file(_ text: String = "", mode: mode_t = 0o600) throws -> String {
        let path = self.folder.file("keys")
        try FileText.write(text, to: path)
        #expect(chmod(path, mode) == 0)
        return path
    }

    private func refusal(_ path: String) -> String? {
        do throws(AccessKeyFileError) {
            _ = try AccessKeyFile.load(path)
            return nil
        } catch { return "\(error)" }
    }

    @Test func `a file that only its owner can read is loaded`() throws {
        let line = AccessEntry(name: "n", digest: AccessKey.random().digest, roles: .read, prefixes: [], expiresAt: nil)
            .line
        for mode: mode_t in [0o600, 0o400] {
            let table = try AccessKeyFile.load(try self.file(line, mode: mode))
            #expect(table.entries.map(\.line) == [line])
            #expect(unlink(self.folder.file("keys")) == 0)
        }
    }

    @Test(arguments: [0o640, 0o604, 0o660, 0o644, 0o620, 0o610, 0o700] as [mode_t])
    func `a file that others can use is refused with the command that changes that`(_ mode: mode_t) throws {
        let path = try self.file(mode: mode)
        let text = try #require(self.refusal(path))
        #expect(text == "\(path) has the mode \(String(mode, radix: 8)), so others can read it; run: chmod 600 \(path)")
    }

    @Test func `a file of another user is refused`() throws {
        guard geteuid() == 0 else { return }
        let path = try self.file()
        #expect(chown(path, 12_345, 12_345) == 0)
        #expect(try #require(self.refusal(path)).contains("belongs to user 12345"))
    }

    @Test func `folders, pipes and files that are not there are refused`() throws {
        #expect(mkfifo(self.folder.file("pipe"), 0o600) == 0)
        #expect(try #require(self.refusal(self.folder.file("pipe"))).contains("is not a regular file"))
        #expect(try #require(self.refusal(self.folder.path)).contains("is not a regular file"))
        #expect(try #require(self.refusal(self.folder.file("none"))).contains("cannot be opened: No such file"))
    }

    @Test func `a wrong line is named with its file`() throws {
        let path = try self.file("a b")
        #expect(
            self.refusal(path) == "\(path): line 1, column 3 (a): a hash is sha256: and 64 lowercase hexadecimal digits"
        )
    }
}
