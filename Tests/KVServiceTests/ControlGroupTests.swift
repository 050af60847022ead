import Foundation
import Testing

@testable import KVService

@Suite("The memory limits of control groups", .timeLimit(.minutes(1)))
struct ControlGroupTests {
    private let root = "\(NSTemporaryDirectory())/control-groups-\(UUID().uuidString)"

    private func groups(_ membership: String, _ files: [String: String]) throws -> ControlGroups {
        for (path, text) in files {
            let file = URL(fileURLWithPath: "\(self.root)/\(path)")
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: file, atomically: false, encoding: .utf8)
        }
        try FileManager.default.createDirectory(atPath: self.root, withIntermediateDirectories: true)
        try membership.write(toFile: "\(self.root)/membership", atomically: false, encoding: .utf8)
        return ControlGroups(mountPoint: self.root, membership: "\(self.root)/membership")
    }

    private func end() { try? FileManager.default.removeItem(atPath: self.root) }

    @Test func `of revision 2 are those of the group and of all above it, without what is cached of files`() throws {
        defer { self.end() }
        let groups = try self.groups(
            "0::/a.slice/b.service\n",
            [
                "a.slice/b.service/memory.max": "1000\n", "a.slice/b.service/memory.high": "max\n",
                "a.slice/b.service/memory.current": "700\n",
                "a.slice/b.service/memory.stat": "anon 400\ninactive_file 200\nactive_file 50\nfile 999\n",
                "a.slice/memory.max": "5000\n", "a.slice/memory.high": "4000\n", "a.slice/memory.current": "900\n",
                "memory.stat": "anon 1\n",
            ])
        #expect(
            groups.limits == [
                .init(limitBytes: 1_000, usedBytes: 450), .init(limitBytes: 4_000, usedBytes: 900),
            ])
    }

    @Test func `of revision 1 are known by their files, and a huge number is none`() throws {
        defer { self.end() }
        let groups = try self.groups(
            "9:name=systemd:/x\n4:cpu,memory:/docker/1\n0::/\n",
            [
                "memory/docker/1/memory.limit_in_bytes": "2000\n", "memory/docker/1/memory.usage_in_bytes": "1500\n",
                "memory/docker/1/memory.stat": "inactive_file 9\ntotal_inactive_file 300\ntotal_active_file 200\n",
                "memory/memory.limit_in_bytes": "9223372036854771712\n", "memory/memory.usage_in_bytes": "1\n",
            ])
        #expect(groups.limits == [.init(limitBytes: 2_000, usedBytes: 1_000)])
    }

    @Test func `of a container are found though its path is that of the host`() throws {
        defer { self.end() }
        let groups = try self.groups(
            "0::/docker/0123\n", ["memory.max": "3000\n", "memory.current": "100\n", "memory.stat": "anon 1\n"])
        #expect(groups.limits == [.init(limitBytes: 3_000, usedBytes: 100)])
    }

    @Test func `are none where nothing can be read`() throws {
        defer { self.end() }
        #expect(ControlGroups(mountPoint: "/nowhere", membership: "/nowhere").limits == [])
        #expect(try self.groups("nonsense\n1:memory\n:::\n0::/a\n", [:]).limits == [])
    }

    @Test func `of this process leave the process something`() {
        for limit in ControlGroups.system.limits { #expect(limit.limitBytes > 0) }
        #expect(MemoryUse.all(setting: 1 << 50).contains { $0.source == .setting && $0.usedBytes > 0 })
    }
}
