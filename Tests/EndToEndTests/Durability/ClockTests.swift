import Foundation
import TestSupport
import Testing

/// libfaketime, where it is installed.
private enum WallClock {
    static let library: String? = {
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib")) ?? []
        return folders.map { "/usr/lib/\($0)/faketime/libfaketimeMT.so.1" }
            .first { FileManager.default.fileExists(atPath: $0) }
    }()
}

extension EndToEnd {
    /// The wall clock jumps while the monotonic one continues, with libfaketime.
    @Suite(
        "Wall clock that steps",
        .enabled(if: WallClock.library != nil, "libfaketime is not installed"), .timeLimit(.minutes(10)))
    struct ClockTests {
        /// Seconds since 1970 of a member such as `now`.
        private static func time(_ document: JSONObject, _ name: String) -> Double? {
            let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
            return document.string(name).flatMap { try? format.parse($0) }?.timeIntervalSince1970
        }

        @Test(arguments: [-3, 3]) func `delays no sync and no compaction, and makes no wrong age`(hours: Int) throws {
            let folder = TemporaryFolder()
            let clock = folder.file("clock")
            try FileText.write("+0s", to: clock)
            // Through the environment: under libfaketime a program does not see its flags.
            let service = try ServiceProcess(
                .kvService, [], output: folder.file("log"),
                environment: [
                    "LD_PRELOAD": WallClock.library!, "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
                    "KV_LISTEN": "127.0.0.1:0", "KV_DATA_DIR": folder.file("kv"), "KV_SYNC": "interval:50",
                    "KV_SEGMENT_BYTES": "1MiB", "KV_COMPACT_MIN_BYTES": "1MiB",
                ])
            let port = try service.waitForPort()
            try service.waitUntilReady(port: port)
            let client = try KeyValueClient(port: port, through: .kvService)
            #expect(try client.set([1], [1]).status == 200)
            try FileText.write(hours < 0 ? "\(hours)h" : "+\(hours)h", to: clock)
            // 2.4 MB, nearly all of it garbage.
            for _ in 0..<40 { #expect(try client.set([2], Array(repeating: 7, count: 60_000)).status == 200) }
            let admin = try Poll.until("all writes are durable, and a compaction has ended") { () -> JSONObject? in
                let admin = try AdminDocuments.get(port, "/admin")
                let log = admin.object("log")
                let isDurable = log.members["durable_revision"] as? Int == 41
                return isDurable && admin.object("compaction").members["runs_total"] as? Int ?? 0 > 0 ? admin : nil
            }
            let now = try #require(Self.time(admin, "now"))
            let uptime = try #require(admin.members["uptime_seconds"] as? Double)
            #expect((0...120).contains(uptime))
            let synced = try #require(Self.time(admin.object("log"), "last_fsync_at"))
            #expect((-1.0...60).contains(now - synced))
            let compacted = try #require(Self.time(admin.object("compaction"), "last_success_at"))
            #expect((-1.0...60).contains(now - compacted))
            #expect(try service.stop() == .exited(0))
        }
    }
}
