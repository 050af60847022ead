import JSON
import PrometheusMetrics
import Synchronization
import SystemSupport

/// What is known of backups: the running one, the last one, and how many there were. Any thread.
final class BackupFigures: Sendable {
    enum Ending: String, CaseIterable {
        case sent = "ok"
        /// The client went away, or the service stopped.
        case cut
        /// It could not be made.
        case failed
    }

    struct Run: Sendable {
        let startedAt = WallClock.nanoseconds()
        let began = MonotonicClock.nanoseconds()
        var revision: UInt64?
        var bytesTotal: UInt64 = 0
        var bytesSent: UInt64 = 0
    }

    struct Outcome: Sendable {
        let run: Run
        let ending: Ending
        let error: String?
        let durationNanoseconds: UInt64
    }

    private struct State {
        var run: Run?
        var last: Outcome?
        var lastSuccessAt: UInt64?
    }

    private let state = Mutex(State())
    let sentBytes = Atomic<UInt64>(0)
    private let endings: [Ending: Counter]

    init(registry: MetricsRegistry) {
        self.endings = Dictionary(
            uniqueKeysWithValues: Ending.allCases.map { ending in
                (
                    ending,
                    registry.counter(
                        "kv_backups_total", help: "Backups that ended, by result.",
                        labels: [("result", ending.rawValue)])
                )
            })
    }

    /// - Returns: false if one is running.
    func begin() -> Bool {
        self.state.withLock { state in
            if state.run != nil { return false }
            state.run = Run()
            return true
        }
    }

    func captured(revision: UInt64, bytes: UInt64) {
        self.state.withLock { state in
            state.run?.revision = revision
            state.run?.bytesTotal = bytes
        }
    }

    func sent(_ bytes: Int) {
        self.sentBytes.add(UInt64(bytes), ordering: .relaxed)
        self.state.withLock { $0.run?.bytesSent += UInt64(bytes) }
    }

    /// It was only asked for.
    func abandon() { self.state.withLock { $0.run = nil } }

    func end(_ ending: Ending, error: String?) -> Outcome? {
        self.endings[ending]?.increment()
        return self.state.withLock { state in
            guard let run = state.run.take() else { return nil }
            let outcome = Outcome(
                run: run, ending: ending, error: error,
                durationNanoseconds: MonotonicClock.nanoseconds() - run.began)
            state.last = outcome
            if ending == .sent { state.lastSuccessAt = run.startedAt }
            return outcome
        }
    }

    var isRunning: Bool { self.state.withLock { $0.run != nil } }
    /// When the last backup that was sent whole began, in nanoseconds since 1970.
    var lastSuccessAt: UInt64? { self.state.withLock { $0.lastSuccessAt } }

    /// The members of `backup` in `/admin` that are not one number.
    func write(to backup: inout JSONWriter) {
        let state = self.state.withLock { $0 }
        if let run = state.run {
            backup.member("run", object: { Self.write(&$0, run) })
        } else {
            backup.memberNull("run")
        }
        guard let last = state.last else { return backup.memberNull("last") }
        backup.member(
            "last",
            object: { object in
                object.member("result", last.ending.rawValue)
                Self.write(&object, last.run)
                object.member("duration_seconds", Double(last.durationNanoseconds) / 1e9)
                object.member("error", last.error)
            })
    }

    private static func write(_ object: inout JSONWriter, _ run: Run) {
        object.member("started_at", Timestamp.rfc3339(nanosecondsSince1970: run.startedAt))
        object.member("revision", run.revision)
        object.member("bytes_total", run.bytesTotal)
        object.member("bytes_sent", run.bytesSent)
    }
}
