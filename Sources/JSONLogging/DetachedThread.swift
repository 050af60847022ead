import Glibc

/// A thread of its own, outside of Swift's concurrency: it may block.
package final class DetachedThread {
    private let name: StaticString
    private let body: @Sendable () -> Void

    private init(name: StaticString, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }

    /// Runs `body` on a new thread that takes no signals: they go to the threads that expect them, and a write to a
    /// closed pipe is an error code there, not the end of the process.
    /// - Parameter name: at most 15 bytes, for `top -H` and debuggers.
    package static func start(name: StaticString, _ body: @escaping @Sendable () -> Void) {
        // The new thread begins with the mask of the one that makes it, so that no signal can come in between.
        var all = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }

        // One retain is handed to the thread, which takes it.
        let start = unsafe Unmanaged.passRetained(DetachedThread(name: name, body: body)).toOpaque()
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let start = unsafe Unmanaged<DetachedThread>.fromOpaque(argument).takeRetainedValue()
                start.setName()
                start.body()
                return nil
            },
            start
        )
        precondition(result == 0, "the thread \(name) could not be started: errno \(result)")
        pthread_detach(thread)
    }

    /// A thread's name is a file; without it all works as well.
    private func setName() {
        let descriptor = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        unsafe _ = write(descriptor, self.name.utf8Start, self.name.utf8CodeUnitCount)
        close(descriptor)
    }
}
