import Admin
import JSON
import Logging
import PrometheusMetrics
public import ServiceSettings
import Synchronization
import SystemSupport

/// Reads again what may change while a service runs: on `SIGHUP`, and when a file has changed. Everything that is new is
/// read and checked first, and nothing is put in force if one part of it cannot be. Any thread; the work is done by a
/// thread of its own.
public final class Reloader: Sendable {
    static let lookNanoseconds: UInt64 = 1_000_000_000

    enum Trigger: String {
        case signal
        case files
    }

    private struct State {
        var settings: ResolvedSettings
        var parts: [ReloadPart] = []
        var watch = FileWatch<FileSignature>()
        var successes = 0
        var failures = 0
        /// Wall clock, nanoseconds since 1970.
        var lastAtNanoseconds: UInt64?
        var lastSuccessNanoseconds: UInt64
        /// Nil after a success.
        var lastError: String?
        /// Settings with a new value that is not in force.
        var waitingForRestart: [String] = []
        var isStopped = false
    }

    private let events: EventJournal
    private let state: Mutex<State>
    private let wanted = MonotonicSemaphore()

    init(_ settings: ResolvedSettings, events: EventJournal, registry: MetricsRegistry) {
        self.events = events
        self.state = Mutex(State(settings: settings, lastSuccessNanoseconds: WallClock.nanoseconds()))
        registry.gauge(
            "config_last_reload_successful",
            help: "1 if the last reload of files and settings succeeded, or there was none; else 0."
        ) { self.state.withLock { $0.lastError == nil ? 1 : 0 } }
        registry.gauge(
            "config_last_reload_success_timestamp_seconds",
            help: "When what is in force was read: at the start, or by the last successful reload."
        ) { self.state.withLock { Double($0.lastSuccessNanoseconds) / 1e9 } }
        registry.counter(
            "config_reloads_total", help: "Reloads of files and settings by result.",
            labels: [("result", "success")]
        ) { self.state.withLock { Double($0.successes) } }
        registry.counter(
            "config_reloads_total", help: "Reloads of files and settings by result.",
            labels: [("result", "failure")]
        ) { self.state.withLock { Double($0.failures) } }
    }

    /// The values that are in force.
    public var settings: ResolvedSettings { self.state.withLock { $0.settings } }

    /// To be called before ``start()``.
    public func add(_ part: ReloadPart) { self.state.withLock { $0.parts.append(part) } }

    /// Begins to look at the files.
    func start() {
        let signatures = self.signatures(self.settings)
        self.state.withLock { $0.watch.wereRead(signatures) }
        DedicatedThread.startOrExit(name: "config-reload") {
            while !self.state.withLock({ $0.isStopped }) {
                if self.wanted.wait(forNanoseconds: Self.lookNanoseconds) {
                    if !self.state.withLock({ $0.isStopped }) { self.reload(.signal) }
                } else if self.haveFilesChanged() {
                    self.reload(.files)
                }
            }
        }
    }

    /// Not under the lock: a file system may not answer.
    private func haveFilesChanged() -> Bool {
        let signatures = self.signatures(self.settings)
        return self.state.withLock { $0.watch.look(signatures) }
    }

    /// Reads everything again, soon.
    func request() { self.wanted.signal() }

    func stop() {
        self.state.withLock { $0.isStopped = true }
        self.wanted.signal()
    }

    /// Blocks while files are read.
    func reload(_ trigger: Trigger) {
        let (settings, parts) = self.state.withLock { ($0.settings, $0.parts) }
        // From before they are read: what changes meanwhile is read again.
        var signatures = self.signatures(settings)
        do throws(ReloadError) {
            let new = try Self.resolve(settings)
            // The new settings may name other files; the configuration file has been read already.
            signatures = self.signatures(new).merging(Self.ofConfigFile(settings, signatures)) { $1 }
            var commits: [@Sendable () -> Void] = []
            for part in parts { commits.append(try part.prepare(new)) }
            for commit in commits { commit() }
            self.succeeded(trigger, from: settings, to: new, Set(parts.flatMap(\.settings)), signatures)
        } catch {
            self.failed(trigger, error, signatures)
        }
    }

    private func succeeded(
        _ trigger: Trigger, from old: ResolvedSettings, to new: ResolvedSettings, _ reloadable: Set<String>,
        _ signatures: [String: FileSignature?]
    ) {
        let changed = old.names(differingFrom: new)
        let waiting = changed.filter { !reloadable.contains($0) }
        self.state.withLock { state in
            state.settings = old.taking(reloadable, from: new)
            state.watch.wereRead(signatures)
            state.successes += 1
            state.lastError = nil
            state.lastAtNanoseconds = WallClock.nanoseconds()
            state.lastSuccessNanoseconds = WallClock.nanoseconds()
            state.waitingForRestart = waiting
        }
        var details: Logger.Metadata = ["trigger": "\(trigger.rawValue)"]
        let taken = changed.filter(reloadable.contains)
        if !taken.isEmpty { details["changed"] = "\(taken.joined(separator: ", "))" }
        if !waiting.isEmpty { details["needs_restart"] = "\(waiting.joined(separator: ", "))" }
        self.events.tell(
            .configReloaded, waiting.isEmpty ? .notice : .warning, "configuration reloaded", details)
    }

    private func failed(_ trigger: Trigger, _ error: ReloadError, _ signatures: [String: FileSignature?]) {
        self.state.withLock { state in
            // Not again until something changes, or the signal comes.
            state.watch.wereRead(signatures)
            state.failures += 1
            state.lastError = error.description
            state.lastAtNanoseconds = WallClock.nanoseconds()
        }
        self.events.tell(
            .configReloadFailed, .error, "configuration not reloaded: everything stays as it was",
            ["trigger": "\(trigger.rawValue)", "error": "\(error)"])
    }

    /// The settings of the configuration file as it is now; those in force if it is a pipe.
    private static func resolve(_ settings: ResolvedSettings) throws(ReloadError) -> ResolvedSettings {
        if let path = settings[SettingsTable.configFile], FileSignature.all([path]).isEmpty { return settings }
        do { return try settings.resolvedAgain() } catch { throw ReloadError("\(error)".replacing("\n", with: "; ")) }
    }

    private func signatures(_ settings: ResolvedSettings) -> [String: FileSignature?] {
        let paths = self.state.withLock { $0.parts }.flatMap { $0.files(settings) }
        return FileSignature.all(paths + [settings[SettingsTable.configFile]].compactMap { $0 })
    }

    private static func ofConfigFile(
        _ settings: ResolvedSettings, _ signatures: [String: FileSignature?]
    ) -> [String: FileSignature?] {
        signatures.filter { $0.key == settings[SettingsTable.configFile] }
    }

    /// The member `reload` of `GET /admin/config`.
    func write(to object: inout JSONWriter) {
        let state = self.state.withLock { $0 }
        object.member("succeeded", state.successes)
        object.member("failed", state.failures)
        object.member("last_at", state.lastAtNanoseconds.map { Timestamp.rfc3339(nanosecondsSince1970: $0) })
        object.member("last_error", state.lastError)
        object.member("needs_restart", array: { names in for name in state.waitingForRestart { names.element(name) } })
    }
}
