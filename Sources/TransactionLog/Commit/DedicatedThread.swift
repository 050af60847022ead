import Dispatch
import Glibc

/// A named thread of its own for blocking work: system calls of the log run neither on an event loop nor on the
/// concurrency pool.
package final class DedicatedThread: Sendable {
    /// The default of 8 MiB for each of them is a large part of the address space where that is limited.
    private static let stackBytes = 1 << 20

    private let name: String
    private let body: @Sendable () -> Void
    private let finished = DispatchSemaphore(value: 0)

    /// - Parameter name: at most 15 bytes are shown by the system.
    private init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }

    @discardableResult
    package static func start(name: String, _ body: @escaping @Sendable () -> Void) -> DedicatedThread {
        let thread = DedicatedThread(name: name, body: body)
        let argument = unsafe Unmanaged.passRetained(thread).toOpaque()
        var handle: pthread_t = 0
        let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
        unsafe pthread_attr_init(attributes)
        unsafe pthread_attr_setstacksize(attributes, Self.stackBytes)
        defer {
            unsafe pthread_attr_destroy(attributes)
            unsafe attributes.deallocate()
        }
        let result = unsafe pthread_create(
            &handle, attributes,
            { argument in
                let thread = unsafe Unmanaged<DedicatedThread>.fromOpaque(argument!).takeRetainedValue()
                thread.nameCurrentThread()
                thread.body()
                thread.finished.signal()
                return nil
            }, argument)
        if result != 0 { Self.failed(name, SystemError.message(result)) }
        pthread_detach(handle)
        return thread
    }

    /// Without its threads nothing can go on, and whoever looks must see why.
    private static func failed(_ name: String, _ reason: String) -> Never {
        let text = Array("the thread \(name) could not be started: \(reason)\n".utf8)
        _ = unsafe text.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
        abort()
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
