import Glibc

/// Settings of the process that a server makes before it opens its first socket.
public enum ProcessSetup {
    /// Why this process cannot run Swift's concurrency; nil if it can. Read it before any task is created.
    ///
    /// libdispatch, which Swift's concurrency uses, ends the process with SIGILL if `/proc/<pid>/task/<thread>/stat` is
    /// missing while work waits.
    public static var obstacle: String? {
        unsafe access("/proc/self/task", R_OK) == 0
            ? nil : "/proc is not mounted, and without it this program can end at any time: mount /proc"
    }

    /// The limit of open files of a process, and the files that were open at its start.
    public struct OpenFiles: Equatable, Sendable {
        /// The current limit; 0 if it is unknown.
        public let limit: UInt64
        /// File descriptors besides the standard streams that the parent process left open.
        public let inherited: Int
    }

    /// Ignores `SIGPIPE`, so that a closed peer is an error of one `write`; ignores `SIGHUP`, `SIGUSR1` and `SIGUSR2`,
    /// which must not end a service that does not use them; and raises the limit of open files to the maximum of this
    /// process.
    ///
    /// Call it once, before the process has a second thread: threads of libdispatch open files that would look
    /// inherited, because child processes would inherit them.
    public static func prepare() -> OpenFiles {
        for number in [SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
        return OpenFiles(limit: self.raisedLimit(), inherited: self.inheritedDescriptors())
    }

    private static func raisedLimit() -> UInt64 {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(resource, &limit) == 0 else { return 0 }
        if limit.rlim_cur < limit.rlim_max {
            let before = limit.rlim_cur
            limit.rlim_cur = limit.rlim_max
            if unsafe setrlimit(resource, &limit) != 0 { limit.rlim_cur = before }
        }
        return UInt64(limit.rlim_cur)
    }

    /// Checks the first 4,096.
    private static func inheritedDescriptors() -> Int {
        (3..<4_096).count(where: self.isInherited)
    }

    public static func isInherited(_ descriptor: Int32) -> Bool {
        let flags = fcntl(descriptor, F_GETFD)
        return flags != -1 && flags & FD_CLOEXEC == 0
    }
}
