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

    /// Ignores `SIGPIPE`, so that a peer that went away is an error of one `write`, and raises the limit of open files
    /// to the highest this process may have. Called once, before other threads run.
    ///
    /// - Returns: the limit of open files now in force.
    @discardableResult
    package static func prepare() -> UInt64 {
        signal(SIGPIPE, SIG_IGN)
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
}
