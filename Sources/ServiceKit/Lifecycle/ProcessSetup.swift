import Glibc

/// What a server asks of the operating system before it opens its first socket.
package enum ProcessSetup {
    /// Ignores `SIGPIPE`, so that a peer that went away is an error of one `write`; ignores `SIGHUP`, `SIGUSR1` and
    /// `SIGUSR2`, which ask services for something that these do not do, and must not end them; and raises the limit of open files
    /// to the highest this process may have. Called once, before other threads run.
    ///
    /// - Returns: the limit of open files now in force.
    @discardableResult
    package static func prepare() -> UInt64 {
        for number in [SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
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
