package import JSONLogging
import NIOHTTP1
import Synchronization

/// What the whole service is doing. Decides whether data routes are taken and what `/readyz` says.
///
/// Any thread may read and change it.
package final class ServiceGate: Sendable {
    package enum State: Sendable, Equatable {
        /// Listening; nothing else is ready.
        case starting
        /// The log is being read.
        case replaying
        case ready
        /// Reads are served; writes are refused by the service itself, for this reason.
        case readOnly(reason: String)
        /// The service can't do its work until it is restarted, for this reason. Reads may still be served.
        case failed(reason: String)
        /// Requests under way are finished, new ones are refused.
        case draining
        /// No request is left; data is being brought to rest.
        case stopping

        /// As in `/readyz`, `/admin` and log lines.
        package var name: StaticString {
            switch self {
            case .starting: "starting"
            case .replaying: "replaying"
            case .ready: "ready"
            case .readOnly: "read_only"
            case .failed: "failed"
            case .draining: "draining"
            case .stopping: "stopping"
            }
        }

        /// Why the service is not ready, for a person; nil when there is nothing to add to the name.
        package var reason: String? {
            switch self {
            case .readOnly(let reason), .failed(let reason): reason
            case .starting, .replaying, .ready, .draining, .stopping: nil
            }
        }

        fileprivate var serving: Serving {
            switch self {
            case .ready, .readOnly, .failed: .open
            case .starting, .replaying: .notYet
            case .draining, .stopping: .noLonger
            }
        }
    }

    /// Whether data routes are taken, in one word that an event loop can read for every request.
    fileprivate enum Serving: UInt8 {
        case open, notYet, noLonger
    }

    /// One thing that must hold for the service to be ready.
    package struct Check: Sendable {
        /// snake_case, such as `log_writable`.
        package let name: String
        /// Nil while it holds, else what is wrong. Called from event loops: it must not block.
        package let failure: @Sendable () -> String?

        package init(name: String, failure: @escaping @Sendable () -> String?) {
            self.name = name
            self.failure = failure
        }
    }

    /// The part of the replay that is done, from 0 to 1, and what has been read so far.
    package struct ReplayProgress: Sendable {
        package var bytesRead: UInt64
        package var bytesTotal: UInt64
        package var records: UInt64

        package init(bytesRead: UInt64, bytesTotal: UInt64, records: UInt64) {
            self.bytesRead = bytesRead
            self.bytesTotal = bytesTotal
            self.records = records
        }

        package var ratio: Double {
            self.bytesTotal == 0 ? 1 : min(1, Double(self.bytesRead) / Double(self.bytesTotal))
        }
    }

    private struct Guarded {
        var state = State.starting
        var checks: [Check] = []
        var replayProgress: (@Sendable () -> ReplayProgress)?
    }

    private let service: String
    private let guarded = Mutex(Guarded())
    private let serving = Atomic(Serving.notYet.rawValue)

    /// - Parameter service: the name of the service in the document of `/readyz`.
    package init(service: String) {
        self.service = service
    }

    package var state: State { self.guarded.withLock { $0.state } }

    /// Changes the state. `stopping` is final, and from `draining` only `stopping` follows.
    ///
    /// - Returns: the state before, nil if the change was not made.
    @discardableResult
    package func set(_ state: State) -> State? {
        self.guarded.withLock { guarded in
            switch (guarded.state, state) {
            case (.stopping, _): return nil
            case (.draining, .stopping): break
            case (.draining, _): return nil
            default: break
            }
            let before = guarded.state
            guarded.state = state
            self.serving.store(state.serving.rawValue, ordering: .releasing)
            return before
        }
    }

    /// Adds something that must hold for the service to be ready.
    package func add(_ check: Check) {
        self.guarded.withLock { $0.checks.append(check) }
    }

    /// Says how the replay's progress is read while the state is `replaying`.
    package func reportReplay(_ progress: @escaping @Sendable () -> ReplayProgress) {
        self.guarded.withLock { $0.replayProgress = progress }
    }

    /// Whether the service can do all of its work: state `ready` and every check holds.
    package var isReady: Bool {
        let guarded = self.guarded.withLock { $0 }
        return guarded.state == .ready && guarded.checks.allSatisfy { $0.failure() == nil }
    }

    /// The answer to a request on a data route, nil when it is to be taken. Costs one atomic load.
    func refusal() -> Problem? {
        switch Serving(rawValue: self.serving.load(ordering: .acquiring)) ?? .notYet {
        case .open: nil
        case .notYet:
            Problem(
                .serviceUnavailable,
                code: "starting",
                detail: "The service is starting; try again shortly. /readyz says how far it is.",
                headers: [("Retry-After", "1")]
            )
        case .noLonger:
            Problem(
                .serviceUnavailable,
                code: "draining",
                detail: "The service is stopping and takes no new requests.",
                headers: [("Retry-After", "1")]
            )
        }
    }
}

extension ServiceGate {
    /// The document of `/readyz`, and whether it says that the service is ready.
    package func readiness() -> (isReady: Bool, document: [UInt8]) {
        let guarded = self.guarded.withLock { $0 }
        let results = guarded.checks.map { (name: $0.name, failure: $0.failure()) }
        let isReady = guarded.state == .ready && results.allSatisfy { $0.failure == nil }
        var writer = JSONWriter()
        writer.object { document in
            document.member("status", isReady ? "ok" : "unavailable")
            document.member("service", self.service)
            document.member("state", guarded.state.name.description)
            if let reason = guarded.state.reason { document.member("reason", reason) }
            document.member("time", Timestamp.nowRFC3339())
            Self.write(results, to: &document)
            if guarded.state == .replaying, let progress = guarded.replayProgress?() {
                document.member(
                    "replay",
                    object: { replay in
                        replay.member("bytes_read", progress.bytesRead)
                        replay.member("bytes_total", progress.bytesTotal)
                        replay.member("records", progress.records)
                        replay.member("progress_ratio", progress.ratio)
                    }
                )
            }
        }
        return (isReady, writer.bytes)
    }

    /// Appends the member `checks`, as in `/readyz` and `/admin`.
    package func writeChecks(to writer: inout JSONWriter) {
        let checks = self.guarded.withLock { $0.checks }
        Self.write(checks.map { (name: $0.name, failure: $0.failure()) }, to: &writer)
    }

    private static func write(_ results: [(name: String, failure: String?)], to writer: inout JSONWriter) {
        writer.member(
            "checks",
            array: { checks in
                for result in results {
                    checks.element(object: { check in
                        check.member("name", result.name)
                        check.member("status", result.failure == nil ? "ok" : "failing")
                        check.member("message", result.failure)
                    })
                }
            }
        )
    }
}
