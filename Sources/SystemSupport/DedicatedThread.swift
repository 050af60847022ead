import Glibc

/// A named thread of its own for work that blocks: outside of Swift's concurrency and of every event loop.
///
/// It takes no signals: they go to the threads that expect them, and a write to a closed pipe is an error code there, not
/// the end of the process.
package final class DedicatedThread: Sendable {
    /// The default of 8 MiB for each of them is a large part of the address space where that is limited.
    private static let stackBytes = 1 << 20

    private let name: String
    private let body: @Sendable () -> Void
    private let finished = MonotonicSemaphore()

    private init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }

    /// - Parameter name: for `ps -T`, `top -H` and debuggers, which show at most 15 bytes. No two kinds of threads of a
    ///   program have the same.
    /// - Throws: when the process, its user or its control group may have no more threads; nothing has begun then.
    @discardableResult
    package static func start(
        name: String, _ body: @escaping @Sendable () -> Void
    ) throws(ThreadError) -> DedicatedThread {
        // The new thread begins with the mask of the one that makes it, so that no signal can come in between.
        var all = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&all)
        // What a fault of the thread itself raises must reach its handler.
        for fault in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS] { unsafe sigdelset(&all, fault) }
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }

        let thread = DedicatedThread(name: name, body: body)
        // One retain is handed to the new thread, which takes it.
        let argument = unsafe Unmanaged.passRetained(thread)
        var handle = pthread_t()
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setstacksize(&attributes, Self.stackBytes)
        let code = unsafe pthread_create(
            &handle, &attributes,
            { argument in
                let thread = unsafe Unmanaged<DedicatedThread>.fromOpaque(argument!).takeRetainedValue()
                thread.nameCurrentThread()
                thread.body()
                thread.finished.signal()
                return nil
            }, argument.toOpaque())
        if code != 0 {
            unsafe argument.release()
            throw ThreadError(name: name, code: code)
        }
        pthread_detach(handle)
        return thread
    }

    /// As ``start(name:_:)``, for a thread without which the program cannot even say what is wrong: when it can't be
    /// started, the process ends with a line on standard error and code 70.
    package static func startOrExit(name: String, _ body: @escaping @Sendable () -> Void) {
        do { try self.start(name: name, body) } catch {
            let line = Array("error: \(error)\n".utf8)
            _ = unsafe line.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
            _exit(70)
        }
    }

    /// The name is for people who look at the process; without it nothing else changes.
    private func nameCurrentThread() {
        let descriptor = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        if descriptor < 0 { return }
        _ = unsafe Array(self.name.utf8).withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
    }

    /// Waits for the thread's end. May be called once.
    package func join() { self.finished.wait() }
}

/// A thread that could not be started.
package struct ThreadError: Error, Equatable, CustomStringConvertible {
    package let name: String
    package let code: Int32

    package init(name: String, code: Int32) {
        self.name = name
        self.code = code
    }

    package var description: String {
        let reason = ErrorNumber.text(self.code)
        return
            "the thread \(self.name) could not be started: \(reason) (errno \(self.code)); the limit of processes and "
            + "threads (ulimit -u, pids.max, TasksMax) or of memory is reached"
    }
}
