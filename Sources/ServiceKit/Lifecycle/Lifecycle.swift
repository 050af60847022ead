import Glibc
import JSONLogging
public import Logging
import Synchronization
public import SystemSupport
import UnixSignals

/// From the start of a service to its exit code.
///
/// The first `SIGTERM` or `SIGINT` begins the shutdown; the second ends the process immediately with exit code 128 +
/// its number.
///
/// ```swift
/// let lifecycle = await Lifecycle(logger: logger)       // from here on signals are taken
/// let server = try startServing()
/// return await lifecycle.run(timeout: settings[Settings.shutdownTimeout]) { deadline in
///     server.beginDrain()
///     await server.waitUntilDrained(deadline)
///     try log.close()
/// }
/// ```
public final class Lifecycle: Sendable {
    private let logger: Logger
    private let firstSignal: AsyncStream<ShutdownSignal>
    private let watcher: Task<Void, Never>

    /// Handles `SIGTERM` and `SIGINT` of the process from here on. At most one instance may exist in a process.
    public convenience init(logger: Logger) async {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let (stream, continuation) = AsyncStream<ShutdownSignal>.makeStream()
        Task {
            for await signal in signals {
                continuation.yield(signal == .sigint ? .interrupt : .terminate)
            }
            continuation.finish()
        }
        self.init(logger: logger, signals: stream) { _exit($0) }
    }

    /// - Parameter exitAtOnce: ends the process without any clean-up.
    init(
        logger: Logger,
        signals: AsyncStream<ShutdownSignal>,
        exitAtOnce: @escaping @Sendable (Int32) -> Void
    ) {
        self.logger = logger
        let (first, continuation) = AsyncStream<ShutdownSignal>.makeStream()
        self.firstSignal = first
        self.watcher = Task {
            var seen = 0
            for await signal in signals {
                seen += 1
                if seen == 1 {
                    continuation.yield(signal)
                } else {
                    exitAtOnce(128 + signal.number)
                }
            }
            continuation.finish()
        }
    }

    deinit {
        self.watcher.cancel()
    }

    /// Waits for the first signal, then drains.
    ///
    /// - Parameters:
    ///   - timeout: for the whole drain.
    ///   - drain: stops accepting work, finishes what is in flight, and makes everything durable; its argument is the
    ///     deadline. When the timeout has passed, it is cancelled and not awaited any longer.
    /// - Returns: `success` if the drain ended without an error within the timeout, else `failure`.
    public func run(
        timeout: Duration,
        drain: @escaping @Sendable (_ deadline: ContinuousClock.Instant) async throws -> Void
    ) async -> ProgramExit {
        var signal = ShutdownSignal.terminate
        for await first in self.firstSignal {
            signal = first
            break
        }
        let clock = ContinuousClock()
        let started = clock.now
        self.logger.info(
            "shutdown started",
            metadata: ["signal": "\(signal.name)", "timeout_ms": .number(Self.milliseconds(timeout))]
        )
        let result = await Self.race(drain, until: started + timeout, clock: clock)
        var metadata: Logger.Metadata = [
            "result": "\(result.name)", "duration_ms": .number(Self.milliseconds(clock.now - started)),
        ]
        switch result {
        case .clean:
            self.logger.info("shutdown finished", metadata: metadata)
            return .success
        case .timedOut:
            self.logger.error("shutdown finished", metadata: metadata)
        case .failed(let error):
            metadata["error"] = "\(error)"
            self.logger.error("shutdown finished", metadata: metadata)
        }
        return .failure
    }

    private enum DrainResult: Sendable {
        case clean
        case timedOut
        case failed(any Error)

        var name: String {
            switch self {
            case .clean: "clean"
            case .timedOut: "timed_out"
            case .failed: "failed"
            }
        }
    }

    /// Whichever ends first. Not a task group, which would wait for a drain that is stuck.
    private static func race(
        _ drain: @escaping @Sendable (ContinuousClock.Instant) async throws -> Void,
        until deadline: ContinuousClock.Instant,
        clock: ContinuousClock
    ) async -> DrainResult {
        let (results, continuation) = AsyncStream<DrainResult>.makeStream()
        let draining = Task {
            do {
                try await drain(deadline)
                continuation.yield(.clean)
            } catch {
                continuation.yield(.failed(error))
            }
        }
        let timer = Task {
            if (try? await clock.sleep(until: deadline)) != nil { continuation.yield(.timedOut) }
        }
        defer {
            timer.cancel()
            draining.cancel()
        }
        for await result in results { return result }
        return .timedOut
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        Int(duration / .milliseconds(1))
    }
}

/// A signal that asks the service to stop.
enum ShutdownSignal: Sendable {
    case terminate
    case interrupt

    var number: Int32 {
        switch self {
        case .terminate: SIGTERM
        case .interrupt: SIGINT
        }
    }

    var name: String {
        switch self {
        case .terminate: "SIGTERM"
        case .interrupt: "SIGINT"
        }
    }
}
