import Glibc

/// What a server asks of the operating system before it opens its first socket.
package enum ProcessSetup {
    /// Why this process cannot run Swift's concurrency, nil when it can. Read before any task is made.
    ///
    /// libdispatch, which it runs on, ends the process with SIGILL when it finds `/proc/<pid>/task/<thread>/stat` missing
    /// while work waits.
    package static var obstacle: String? {
        unsafe access("/proc/self/task", R_OK) == 0
            ? nil : "/proc is not mounted, and this program's runtime would end without it at any time: mount it here"
    }

    /// The files that a process may have open, and those that it had when it began.
    package struct OpenFiles: Equatable, Sendable {
        /// The limit in force; 0 when it is not known.
        package let limit: UInt64
        /// Descriptors beside the standard streams that whoever started the process left open.
        package let inherited: Int
    }

    /// Ignores `SIGPIPE`, so that a peer that went away is an error of one `write`; ignores `SIGHUP`, `SIGUSR1` and
    /// `SIGUSR2`, which must not end a service that does nothing on them; and raises the limit of open files
    /// to the highest this process may have.
    ///
    /// Called once, before the process has a second thread: those of libdispatch open files that look inherited, as a
    /// program that they started would get them.
    package static func prepare() -> OpenFiles {
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

    /// Looks at the first 4,096.
    private static func inheritedDescriptors() -> Int {
        (3..<4_096).count(where: self.isInherited)
    }

    package static func isInherited(_ descriptor: Int32) -> Bool {
        let flags = fcntl(descriptor, F_GETFD)
        return flags != -1 && flags & FD_CLOEXEC == 0
    }
}
