import Glibc

/// A separate named thread for blocking work: outside of Swift's concurrency and of every event loop.
///
/// It handles no signals: they go to the threads that expect them, and a write to a closed pipe returns an error there
/// instead of ending the process.
public final class DedicatedThread: Sendable {
    /// The default of 8 MiB per thread would be a large part of a limited address space.
    private static let stackBytes = 1 << 20

    private let name: String
    private let body: @Sendable () -> Void
    private let finished = MonotonicSemaphore()

    private init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }

    /// - Parameter name: for `ps -T`, `top -H` and debuggers, which show at most 15 bytes. Each kind of thread in a
    ///   program has its own name.
    /// - Throws: if the process, its user or its control group cannot have another thread; nothing was started then.
    @discardableResult
    public static func start(
        name: String, _ body: @escaping @Sendable () -> Void
    ) throws(ThreadError) -> DedicatedThread {
        // The new thread inherits the mask of its creator, so that no signal can arrive in between.
        var all = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&all)
        // Signals raised by a fault of the thread itself must reach their handler.
        for fault in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS] { unsafe sigdelset(&all, fault) }
        unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }

        let thread = DedicatedThread(name: name, body: body)
        // One reference is passed to the new thread, which releases it.
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

    /// Like ``start(name:_:)``, for a thread without which the program cannot report anything: if it cannot be started,
    /// the process ends with a line on standard error and code 70.
    public static func startOrExit(name: String, _ body: @escaping @Sendable () -> Void) {
        do { try self.start(name: name, body) } catch {
            let line = Array("error: \(error)\n".utf8)
            _ = unsafe line.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
            _exit(70)
        }
    }

    /// The name is only for people who inspect the process.
    private func nameCurrentThread() {
        let descriptor = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        if descriptor < 0 { return }
        _ = unsafe Array(self.name.utf8).withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
    }

    /// Waits for the thread's end. Call it once.
    public func join() { self.finished.wait() }
}

/// A thread that could not be started.
public struct ThreadError: Error, Equatable, CustomStringConvertible {
    public let name: String
    public let code: Int32

    public init(name: String, code: Int32) {
        self.name = name
        self.code = code
    }

    public var description: String {
        let reason = ErrorNumber.text(self.code)
        return
            "the thread \(self.name) could not be started: \(reason) (errno \(self.code)); the limit of processes and "
            + "threads (ulimit -u, pids.max, TasksMax) or of memory is reached"
    }
}
