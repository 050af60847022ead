import Glibc

/// Threads for load: the blocking connections of a test must not hold the threads of Swift's concurrency.
final class Threads {
    private var threads: [pthread_t] = []

    private final class Body {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) {
            self.run = run
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
        let argument = Unmanaged.passRetained(Body(run)).toOpaque()
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

    /// Waits until all have ended.
    func join() {
        for thread in self.threads { pthread_join(thread, nil) }
        self.threads = []
    }
}
