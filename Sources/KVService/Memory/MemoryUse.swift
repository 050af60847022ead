import Glibc
import SystemSupport

/// A memory limit of this process, and the memory that counts against it now.
struct MemoryUse: Sendable, Equatable {
    enum Source: String, Sendable, CaseIterable {
        /// A setting of the service; the process's resident memory counts.
        case setting
        /// The process's control group or one of its parents, such as that of a container; all memory of the group
        /// counts that the kernel cannot reclaim: not cached files.
        case controlGroup = "cgroup"
        /// `RLIMIT_AS`, set by `ulimit -v`; the address space counts.
        case addressSpace = "address_space"
        /// The machine's memory; the process's resident memory counts.
        case machine
    }

    var source: Source
    var limitBytes: UInt64
    var usedBytes: UInt64

    init(source: Source, limitBytes: UInt64, usedBytes: UInt64) {
        self.source = source
        self.limitBytes = limitBytes
        self.usedBytes = usedBytes
    }

    /// The used share of the limit; above 1 if the limit is exceeded.
    var ratio: Double { self.limitBytes == 0 ? 1 : Double(self.usedBytes) / Double(self.limitBytes) }
}

extension MemoryUse {
    /// Every current limit. Limits of groups can change, so they are read each time, in some tens of microseconds;
    /// unreadable ones are omitted.
    ///
    /// - Parameter setting: a limit in bytes in addition to those of the system; nil for none.
    static func all(setting: UInt64?) -> [MemoryUse] {
        guard let (virtualBytes, residentBytes) = Self.ofProcess() else { return [] }
        var uses: [MemoryUse] = []
        if let setting { uses.append(Self(source: .setting, limitBytes: setting, usedBytes: residentBytes)) }
        uses += ControlGroups.system.limits.map { limit in
            Self(source: .controlGroup, limitBytes: limit.limitBytes, usedBytes: limit.usedBytes)
        }
        if let limit = Self.addressSpaceLimit {
            uses.append(Self(source: .addressSpace, limitBytes: limit, usedBytes: virtualBytes))
        }
        let pageBytes = UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
        let machineBytes = UInt64(max(0, sysconf(Int32(_SC_PHYS_PAGES)))) * pageBytes
        if machineBytes > 0 {
            uses.append(Self(source: .machine, limitBytes: machineBytes, usedBytes: residentBytes))
        }
        return uses
    }

    /// The soft limit of the address space; nil for none.
    static var addressSpaceLimit: UInt64? {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0,
            limit.rlim_cur != rlim_t.max
        else { return nil }
        return UInt64(limit.rlim_cur)
    }

    private static func ofProcess() -> (virtualBytes: UInt64, residentBytes: UInt64)? {
        let pages = SmallFile.text("/proc/self/statm")?.split(separator: " ").prefix(2).compactMap { UInt64($0) }
        guard let pages, pages.count == 2 else { return nil }
        let pageBytes = UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
        return (pages[0] * pageBytes, pages[1] * pageBytes)
    }
}
