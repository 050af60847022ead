import SystemSupport

/// The memory limits of this process's control groups, of revision 1 or 2, its own and those above it.
///
/// In a container, the group's path often does not exist under the mount point, which then is the container's own
/// group: all existing folders of the path are read, the mount point last.
struct ControlGroups: Sendable {
    static let system = ControlGroups(mountPoint: "/sys/fs/cgroup", membership: "/proc/self/cgroup")

    struct Limit: Equatable {
        var limitBytes: UInt64
        /// Without cached files.
        var usedBytes: UInt64
    }

    let mountPoint: String
    /// The file that lists the groups of the process.
    let membership: String

    /// From the process's own group upwards; groups without a limit are omitted.
    var limits: [Limit] {
        var found: [Limit] = []
        for line in (SmallFile.text(self.membership) ?? "").split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if fields[0] == "0", fields[1].isEmpty {
                found += Self.folders(self.mountPoint, fields[2]).compactMap(Self.limitOfVersion2)
            } else if fields[1].split(separator: ",").contains("memory") {
                found += Self.folders(self.mountPoint + "/memory", fields[2]).compactMap(Self.limitOfVersion1)
            }
        }
        return found
    }

    /// The folders of a group and of its parents.
    private static func folders(_ mountPoint: String, _ path: Substring) -> [String] {
        var parts = path.split(separator: "/")
        var folders: [String] = []
        while !parts.isEmpty {
            folders.append(mountPoint + parts.map { "/" + $0 }.joined())
            parts.removeLast()
        }
        return folders + [mountPoint]
    }

    /// Above `memory.high` the kernel slows the group down until it makes almost no progress.
    private static func limitOfVersion2(_ folder: String) -> Limit? {
        let limits = ["max", "high"].compactMap { self.number("\(folder)/memory.\($0)") }
        guard let limit = limits.min(), let used = self.number("\(folder)/memory.current") else { return nil }
        let cached = self.cachedBytes("\(folder)/memory.stat", prefix: "")
        return Limit(limitBytes: limit, usedBytes: used - min(used, cached))
    }

    private static func limitOfVersion1(_ folder: String) -> Limit? {
        guard let limit = self.number("\(folder)/memory.limit_in_bytes"),
            let used = self.number("\(folder)/memory.usage_in_bytes"),
            // Without a limit, the file contains a number near 2^63.
            limit < 1 << 60
        else { return nil }
        let cached = self.cachedBytes("\(folder)/memory.stat", prefix: "total_")
        return Limit(limitBytes: limit, usedBytes: used - min(used, cached))
    }

    /// Nil also for `max`, which means no limit.
    private static func number(_ path: String) -> UInt64? {
        SmallFile.text(path).flatMap { UInt64($0.prefix { $0 != "\n" }) }
    }

    /// Bytes of files in the page cache.
    private static func cachedBytes(_ path: String, prefix: String) -> UInt64 {
        let names: Set = ["\(prefix)inactive_file", "\(prefix)active_file"]
        return (SmallFile.text(path) ?? "").split(separator: "\n").reduce(0) { sum, line in
            let words = line.split(separator: " ")
            guard words.count == 2, names.contains(String(words[0])), let bytes = UInt64(words[1]) else { return sum }
            return sum + bytes
        }
    }
}
