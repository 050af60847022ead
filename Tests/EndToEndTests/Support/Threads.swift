import Glibc
import Synchronization
import TestSupport
import Testing

/// Threads for load: the blocking connections of a test must not hold the threads of Swift's concurrency.
final class Threads {
    private var threads: [pthread_t] = []
    private let running = Running()

    private final class Running: Sendable {
        let count = Atomic<Int>(0)
    }

    private final class Body {
        private let body: @Sendable () -> Void
        private let running: Running

        init(_ running: Running, _ body: @escaping @Sendable () -> Void) {
            self.running = running
            self.body = body
        }

        func run() {
            self.body()
            self.running.count.subtract(1, ordering: .sequentiallyConsistent)
        }
    }

    deinit {
        self.join()
    }

    /// Starts a thread that nobody waits for.
    static func detach(_ run: @escaping @Sendable () -> Void) {
        let threads = Threads()
        threads.start(run)
        for thread in threads.threads { pthread_detach(thread) }
        threads.threads = []
    }

    func start(_ run: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        self.running.count.add(1, ordering: .sequentiallyConsistent)
        let argument = Unmanaged.passRetained(Body(self.running, run)).toOpaque()
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            },
            argument
        )
        precondition(code == 0, "pthread_create: \(code)")
        self.threads.append(thread)
    }

    /// Waits until all have ended; after `seconds` that is an issue of the test, and they are left alone.
    func join(seconds: Double = 300) {
        // Nobody waits for threads that were let go.
        if self.threads.isEmpty { return }
        defer { self.threads = [] }
        do {
            _ = try Poll.until("all threads of the test have ended", seconds: seconds) {
                self.running.count.load(ordering: .sequentiallyConsistent) == 0 ? true : nil
            }
        } catch {
            Issue.record(error)
            for thread in self.threads { pthread_detach(thread) }
            return
        }
        for thread in self.threads { pthread_join(thread, nil) }
    }
}
