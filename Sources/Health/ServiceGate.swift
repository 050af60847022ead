public import HTTP1
public import JSON
import NIOHTTP1
import Synchronization

/// The state of the whole service. Decides whether data routes accept requests, and what `/readyz` answers.
///
/// Any thread may read and change it.
public final class ServiceGate: Sendable {
    public enum State: Sendable, Equatable {
        /// The service listens; nothing else is ready.
        case starting
        /// The log is being read.
        case replaying
        case ready
        /// The service cannot work until it is restarted, for this reason. It may still serve reads.
        case failed(reason: String)
        /// The process stops: no new connection is accepted, and what arrives on the open ones is finished.
        case stopping
        /// No request is left; the data is being closed.
        case stopped
    }

    /// What an operator has switched on, until it is switched off or the process ends.
    public struct OperatorSwitch: Sendable, Equatable {
        /// The operator's reason.
        public var reason: String?
        /// Wall clock, nanoseconds since 1970.
        public var sinceNanoseconds: UInt64
    }

    /// Which data routes accept requests, in one word that an event loop can read for every request.
    public enum Serving: UInt8, Sendable {
        case open, readsOnly, notYet, noLonger
    }

    /// The consequence of a failing check.
    public enum Severity: Sendable {
        /// The service is not ready.
        case failure
        /// The service is ready: most of its work continues, and taking it out would stop that too.
        case warning
    }

    /// Which requests of clients cannot be carried out while a check fails, although they are accepted.
    public enum Stops: Sendable {
        case writes, reads, everything
    }

    /// One health check.
    public struct Check: Sendable {
        /// snake_case, such as `log_writable`.
        public let name: String
        public let severity: Severity
        /// Nil if requests continue.
        public let stops: Stops?
        /// Nil while the check passes, else what is wrong. Called from event loops and under a lock of the gate: it
        /// must not block, nor call the gate.
        public let failure: @Sendable () -> String?

        public init(
            name: String, severity: Severity = .failure, stops: Stops? = nil,
            failure: @escaping @Sendable () -> String?
        ) {
            self.name = name
            self.severity = severity
            self.stops = stops
            self.failure = failure
        }
    }

    public struct Guarded {
        public var state = State.starting {
            didSet { if self.state == .ready { self.hasServed = true } }
        }
        /// Whether the service was ever in the state `ready`: one that failed before that has no data to read.
        var hasServed = false
        public var readOnly: OperatorSwitch?
        public var drain: OperatorSwitch?
        public var checks: [Check] = []
        var writeProgress: (@Sendable (inout JSONWriter) -> Void)?
        /// Called after each change of readiness.
        var listener: (@Sendable (_ notReadyReason: String?) -> Void)?

        public var serving: Serving {
            switch self.state {
            case .stopping where !self.hasServed: .noLonger
            case .ready, .failed, .stopping: self.readOnly == nil ? .open : .readsOnly
            case .starting, .replaying: .notYet
            case .stopped: .noLonger
            }
        }
    }

    /// The results of the checks so far.
    struct Watched {
        /// Nil before the first look.
        var isReady: Bool?
        /// By check: whether it fails, and since when, in nanoseconds since 1970.
        var checks: [(isFailing: Bool, sinceNanoseconds: UInt64)] = []
    }

    public let service: String
    let guarded = Mutex(Guarded())
    let watched = Mutex(Watched())
    private let serving = Atomic(Serving.notYet.rawValue)

    /// - Parameter service: the name of the service in the document of `/readyz`.
    public init(service: String) {
        self.service = service
    }

    public var state: State { self.guarded.withLock { $0.state } }

    /// Changes the state. `stopped` is final, and from `stopping` only `stopped` follows.
    ///
    /// - Returns: the state before, nil if the change was not made.
    @discardableResult
    public func set(_ state: State) -> State? {
        let before: State? = self.change { guarded in
            switch (guarded.state, state) {
            case (.stopped, _): return nil
            case (.stopping, .stopped): break
            case (.stopping, _): return nil
            default: break
            }
            let before = guarded.state
            guarded.state = state
            return before
        }
        if before != nil { self.look() }
        return before
    }

    /// Adds a health check.
    public func add(_ check: Check) {
        self.guarded.withLock { $0.checks.append(check) }
    }

    /// Says how the progress is written into the document of `/readyz` while the state is `replaying`.
    public func reportProgress(_ write: @escaping @Sendable (inout JSONWriter) -> Void) {
        self.guarded.withLock { $0.writeProgress = write }
    }

    /// Whether the service can do all of its work, and no operator drained it.
    public var isReady: Bool { self.guarded.withLock { $0 }.notReadyReason() == nil }

    /// Whether reads are accepted while writes are refused, because of an operator or a failed log.
    public var refusesWritesOnly: Bool {
        self.guarded.withLock { guarded in
            if case .failed = guarded.state { return true }
            return guarded.serving == .readsOnly
        }
    }

    /// The answer to a request on a data route; nil if the request is accepted. Costs one atomic load.
    public func refusal(isWrite: Bool) -> Problem? {
        switch Serving(rawValue: self.serving.load(ordering: .acquiring)) ?? .notYet {
        case .open: nil
        case .readsOnly: isWrite ? self.readOnlyProblem : nil
        case .notYet:
            Problem(
                .serviceUnavailable,
                code: "starting",
                detail: "The service is starting; try again shortly. /readyz shows the progress.",
                headers: [("Retry-After", "1")]
            )
        case .noLonger:
            Problem(
                .serviceUnavailable,
                code: "stopping",
                detail: "The service is stopping and accepts no new requests.",
                headers: [("Retry-After", "1")]
            )
        }
    }

    /// Changes state that decides whether requests are accepted; the change applies to every later request.
    public func change<Result>(_ body: (inout Guarded) -> Result) -> Result {
        self.guarded.withLock { guarded in
            let result = body(&guarded)
            self.serving.store(guarded.serving.rawValue, ordering: .releasing)
            return result
        }
    }
}
