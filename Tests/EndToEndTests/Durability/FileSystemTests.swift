import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    /// A disk that other programs fill as well, on each kind of file system: the guarantees on a full disk, over a
    /// restart.
    @Suite("Full disks of each file system", .timeLimit(.minutes(10)))
    struct FileSystemTests {
        private static let keys = 600
        private static let value = [UInt8](repeating: 0x76, count: 4_000)

        @Test(
            .enabled(if: geteuid() == 0, "only root can mount file systems"),
            arguments: MountedFolder.Kind.allCases)
        func `sets are refused with nothing applied, deletes go on, and sets do once there is space`(
            kind: MountedFolder.Kind
        ) throws {
            try MountedFolder.require(kind)
            let folder = TemporaryFolder()
            let disk = try MountedFolder(kind, folder.file("kv"), in: folder)
            let service = try self.start(folder)
            var client = try KeyValueClient(port: try service.waitForPort(), through: .kvService)
            for number in 0..<Self.keys { #expect(try client.set(Self.key(number), Self.value).status == 200) }
            let filler = try Self.fill(disk)
            let refused = try self.setUntilRefused(client)
            #expect(refused.status == 507, "\(kind): \(refused.text)")
            #expect(try refused.json.string("code") == "disk_full")
            #expect(try refused.json.string("applied") == "no")
            for number in 0..<Self.keys / 2 {
                let answer = try client.delete(Self.key(number))
                #expect(answer.status == 200, "\(kind), delete \(number): \(answer.text)")
            }
            // A start needs no space, and deletes work immediately.
            try service.crash()
            let again = try self.start(folder)
            let port = try again.waitForPort()
            client = try KeyValueClient(port: port, through: .kvService)
            for number in Self.keys / 2..<Self.keys {
                let answer = try client.delete(Self.key(number))
                #expect(answer.status == 200, "\(kind) after a restart, delete \(number): \(answer.text)")
            }
            #expect(try client.getRaw(Self.key(0)).status == 404)
            for path in filler { #expect(unlink(path) == 0) }
            _ = try Poll.until("\(kind): sets go on", seconds: 20) {
                try client.set(Self.key(0), Self.value).status == 200 ? true : nil
            }
            let overwrites = try Poll.until("\(kind): where overwrites go is known", seconds: 20) {
                try AdminDocuments.get(port, "/admin").object("log").object("filesystem").string("overwrites")
            }
            #expect(overwrites == "in_place", "\(kind)")
            #expect(try again.stop() == .exited(0))
        }

        private static func key(_ number: Int) -> [UInt8] { Array("key \(number)".utf8) }

        private func start(_ folder: TemporaryFolder) throws -> ServiceProcess {
            let service = try Services.startKV(in: folder, ["--segment-bytes", "1MiB", "--compact-min-bytes", "1MiB"])
            try service.waitUntilReady(port: try service.waitForPort())
            return service
        }

        /// Writes files until not even a small one fits.
        private static func fill(_ disk: MountedFolder) throws -> [String] {
            var made: [String] = []
            for bytes in [4 << 20, 256 << 10, 4 << 10] {
                let content = [UInt8](repeating: 1, count: bytes)
                while made.count < 4_000 {
                    let path = "\(disk.path)/filler-\(made.count)"
                    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
                    if descriptor < 0 { break }
                    made.append(path)
                    let isWritten = write(descriptor, content, bytes) == bytes && fsync(descriptor) == 0
                    close(descriptor)
                    if !isWritten { break }
                }
            }
            return made
        }

        private func setUntilRefused(_ client: KeyValueClient) throws -> HTTPAnswer {
            for number in Self.keys..<20 * Self.keys {
                let answer = try client.set(Self.key(number), Self.value)
                if answer.status != 200 { return answer }
            }
            throw TimeoutError(description: "the disk never became full")
        }
    }
}
