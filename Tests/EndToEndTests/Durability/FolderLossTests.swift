import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    /// The data folder of a running kv-service is removed, or a second kv-service uses it.
    @Suite("Data folder taken away", .timeLimit(.minutes(10)))
    struct FolderLossTests {
        /// Removes the folder of a service and returns everything that must live until the test ends.
        private typealias Removal = (TemporaryFolder) throws -> Void

        /// Starts a service on the folder, removes the folder, and waits until writes are refused.
        private func expectRefusals(_ folder: TemporaryFolder, reason: String, after removal: Removal) throws {
            let service = try Services.startKV(in: folder)
            let port = try service.waitForPort()
            try service.waitUntilReady(port: port)
            let client = try KeyValueClient(port: port, through: .kvService)
            #expect(try client.set([1], [1]).status == 200)
            try removal(folder)
            // One second is documented; a busy machine may need longer.
            let refusal = try Poll.until("a write is refused", seconds: 10) { () -> HTTPAnswer? in
                let answer = try client.set([2], [2])
                return answer.status == 200 ? nil : answer
            }
            #expect(refusal.status == 503)
            #expect(["no", "unknown"].contains(try refusal.json.string("applied")))
            #expect(try client.set([2], [2]).json.string("applied") == "no")
            #expect(try client.get([1]).status == 200)
            // Writes are refused first, then it is reported.
            let readiness = try Poll.until("the service is not ready", seconds: 10) { () -> HTTPAnswer? in
                let answer = try client.connection.request("GET", "/readyz")
                return answer.status == 503 ? answer : nil
            }
            let told = try #require(readiness.json.string("reason"))
            #expect(told.hasPrefix("the data folder was removed or replaced: stat \(folder.file("kv"))"), "\(told)")
            #expect(told.contains(reason), "\(told)")
            let log = try AdminDocuments.get(port, "/admin").object("log")
            #expect(log.string("state") == "failed")
            #expect(log.object("failures").members["folder"] as? Int == 1)
            #expect(try AdminDocuments.event("log_failed", port).object("details").string("stage") == "folder")
            let metrics = try client.connection.request("GET", "/metrics").text
            #expect(metrics.contains("kv_log_failures_total{stage=\"folder\"} 1"))
            #expect(metrics.contains("kv_log_state{state=\"failed\"} 1"))
            // Writes were refused: that is not a clean stop.
            #expect(try service.stop() == .exited(1))
        }

        @Test func `by rm -rf`() throws {
            let folder = TemporaryFolder()
            try self.expectRefusals(folder, reason: "No such file or directory") { folder in
                // The log's threads may create a file in it meanwhile.
                _ = try Poll.until("the folder is gone") {
                    try? Command.run("rm", "-rf", folder.file("kv"))
                    return access(folder.file("kv"), F_OK) == 0 ? nil : true
                }
            }
        }

        @Test(
            .enabled(
                if: MountedFolder.memoryRefusal == nil,
                "no file system in memory can be mounted: \(MountedFolder.memoryRefusal ?? "")"),
            arguments: ["unmounted", "mounted over", "mounted over by another volume"])
        func `as a volume that is`(_ fate: String) throws {
            let folder = TemporaryFolder()
            let volume = try MountedFolder(memory: folder.file("kv"), megabytes: 64)
            let other = TemporaryFolder()
            let cover = Cover()
            try self.expectRefusals(folder, reason: "it was replaced while in use") { folder in
                switch fate {
                case "unmounted": try Command.run("umount", "--lazy", volume.path)
                case "mounted over": cover.mounted = try MountedFolder(folder.file("kv"), ["--bind", other.path])
                // The roots of two file systems of a kind have the same inode.
                default: cover.mounted = try MountedFolder(memory: folder.file("kv"), megabytes: 64)
                }
            }
            try cover.mounted?.unmount()
            // Nothing of the log was written to the replacement of the folder.
            #expect(try FileManager.default.contentsOfDirectory(atPath: other.path) == [])
        }

        /// A mount that ends with the test.
        private final class Cover {
            var mounted: MountedFolder?
        }

        @Test(
            .enabled(
                if: MountedFolder.memoryRefusal == nil,
                "nothing can be mounted: \(MountedFolder.memoryRefusal ?? "")"))
        func `a second service is kept out by a second path and without the file LOCK`() throws {
            let folder = TemporaryFolder()
            let services = try Services(folder: folder, withGateway: false)
            let second = TemporaryFolder()
            let bound = try MountedFolder(second.file("kv"), ["--bind", folder.file("kv")])
            #expect(unlink(folder.file("kv/LOCK")) == 0)
            for place in [second, folder] {
                let service = try Services.startKV(in: place)
                #expect(try service.child.waitForEnd() == .exited(75))
                let line = try #require(service.log.last)
                #expect(line.string("error")?.contains("is in use by kv-service, process ") == true, "\(line)")
            }
            try bound.unmount()
            _ = try services.stop()
        }

        /// Runs a start with strace, which answers calls for it and is not its parent.
        private func start(_ folder: TemporaryFolder, _ arguments: String...) throws -> ServiceProcess {
            let trace = ["/usr/bin/strace", "-D", "-f", "-o", "/dev/null", "-e", "signal=none"]
            return try Services.startKV(in: folder, wrapper: trace + arguments)
        }

        @Test(.enabled(if: access("/usr/bin/strace", X_OK) == 0, "strace is not installed"))
        func `where no file can be locked a start is refused, where only folders cannot it is not`() throws {
            let folder = TemporaryFolder()
            let refused = try self.start(folder, "-e", "inject=flock:error=EOPNOTSUPP")
            #expect(try refused.child.waitForEnd() == .exited(74), "\(refused.child.output)")
            let error = try refused.waitForLog("cannot start").string("error")
            #expect(
                error?.hasPrefix("flock \(folder.file("kv"))/LOCK: Operation not supported") == true, "\(error ?? "")")
            let traced = try self.start(folder, "-e", "inject=flock:error=EOPNOTSUPP:when=1")
            try traced.waitUntilReady(port: try traced.waitForPort())
            let second = try Services.startKV(in: folder)
            #expect(try second.child.waitForEnd() == .exited(75))
            #expect(try traced.stop() == .exited(0))
        }

        @Test(.enabled(if: access("/usr/bin/strace", X_OK) == 0, "strace is not installed"))
        func `a disk without room for the file LOCK does not keep a folder from being locked`() throws {
            let folder = TemporaryFolder()
            let first = try Services(folder: folder, withGateway: false)
            _ = try first.stop()
            #expect(unlink(folder.file("kv/LOCK")) == 0)
            let traced = try self.start(folder, "-P", "LOCK", "-e", "inject=openat:error=ENOSPC")
            try traced.waitUntilReady(port: try traced.waitForPort())
            #expect(access(folder.file("kv/LOCK"), F_OK) != 0)
            let second = try Services.startKV(in: folder)
            #expect(try second.child.waitForEnd() == .exited(75))
            #expect(try traced.stop() == .exited(0))
        }
    }
}
