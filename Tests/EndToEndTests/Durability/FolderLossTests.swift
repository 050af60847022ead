import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// The data folder is taken away from a running kv-service, or a second one is pointed at it.
    @Suite("Data folder taken away")
    struct FolderLoss {
        /// Takes the folder of a service away and returns what must live on until the test ends.
        private typealias Removal = (TemporaryFolder) throws -> Void

        /// Starts a service on the folder, takes that away, and waits until writes are refused for it.
        private func expectRefusals(_ folder: TemporaryFolder, reason: String, after removal: Removal) throws {
            let service = try Services.startKV(in: folder)
            let port = try service.waitForPort()
            try service.waitUntilReady(port: port)
            let client = try KeyValueClient(port: port, through: .kvService)
            #expect(try client.set([1], [1]).status == 200)
            try removal(folder)
            // One second is promised; a busy machine may take longer.
            let refusal = try Poll.until("a write is refused", seconds: 10) { () -> HTTPAnswer? in
                let answer = try client.set([2], [2])
                return answer.status == 200 ? nil : answer
            }
            #expect(refusal.status == 503)
            #expect(["no", "unknown"].contains(try refusal.json.string("applied")))
            #expect(try client.set([2], [2]).json.string("applied") == "no")
            #expect(try client.get([1]).status == 200)
            let readiness = try client.connection.request("GET", "/readyz")
            #expect(readiness.status == 503)
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
            _ = try service.stop()
        }

        @Test func `by rm -rf`() throws {
            let folder = try TemporaryFolder()
            try self.expectRefusals(folder, reason: "No such file or directory") { folder in
                try Command.run("rm", "-rf", folder.file("kv"))
            }
        }

        @Test(
            .enabled(
                if: MountedFolder.memoryRefusal == nil,
                "no file system in memory can be mounted: \(MountedFolder.memoryRefusal ?? "")"),
            arguments: ["unmounted", "mounted over"])
        func `as a volume that is`(_ fate: String) throws {
            let folder = try TemporaryFolder()
            let volume = try MountedFolder(memory: folder.file("kv"), megabytes: 64)
            let other = try TemporaryFolder()
            let cover = Cover()
            try self.expectRefusals(folder, reason: "it was replaced while in use") { folder in
                if fate == "unmounted" {
                    try Command.run("umount", "--lazy", volume.path)
                } else {
                    cover.mounted = try MountedFolder(folder.file("kv"), ["--bind", other.path])
                }
            }
            try cover.mounted?.unmount()
            // Nothing of the log was put into what took the folder's place.
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
            let folder = try TemporaryFolder()
            let services = try Services(folder: folder, withGateway: false)
            let second = try TemporaryFolder()
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
    }
}
