import Admin
import Glibc
import HTTP1
import Health
import JSONLogging
import KeyValueStore
import LogFormat
import Logging
import NIOHTTP1
import ServiceKit
import Synchronization
import SystemSupport
import TransactionLog

/// Keeps the store within the memory limits: sets several times a second how far the index may grow, and ends a replay
/// that does not fit. Any thread.
final class MemoryGuard: Sendable {
    /// Minimum time between two attempts to return memory to the system.
    private static let trimNanoseconds: UInt64 = 2_000_000_000
    private static let lookMicroseconds: UInt32 = 250_000
    /// An index that does not change is looked at once in so many times: reading the limits of control groups is most of
    /// what an idle service does.
    private static let idleLooks = 4

    private struct Guarded {
        var model = MemoryModel()
        var look: MemoryModel.Look?
        var isFull = false
        var refusals: UInt64 = 0
        var trimmedAt: UInt64 = 0
        /// Index bytes at which the replay checks next.
        var nextReplayLook = 0
        /// Memory of the process before the replay, as counted by the nearest limit.
        var beforeReplay: UInt64?
    }

    private let setting: MemorySetting
    private let events: EventJournal
    private let holder: EngineHolder
    private let guarded = Mutex(Guarded())

    init(setting: MemorySetting, events: EventJournal, holder: EngineHolder) {
        self.setting = setting
        self.events = events
        self.holder = holder
        _ = self.look(indexBytes: 0)
    }

    /// The last check; nil without a limit.
    var status: MemoryModel.Look? { self.guarded.withLock { $0.look } }
    /// Whether sets that add data are refused.
    var isFull: Bool { self.guarded.withLock { $0.isFull } }
    /// Sets that were refused for lack of memory.
    var refusals: UInt64 { self.holder.embedded?.memory.refusals.load(ordering: .relaxed) ?? 0 }
    var indexBytes: Int { self.holder.embedded?.memory.bytes.load(ordering: .relaxed) ?? 0 }

    /// The smallest limit, in bytes.
    var smallestLimit: UInt64? { self.setting.uses.map(\.limitBytes).min() }

    // MARK: - While the service runs

    /// Starts the checks, on an own thread, for as long as the process runs.
    func start() throws(ThreadError) {
        guard self.setting != .none, let memory = self.holder.embedded?.memory else { return }
        self.update(memory)
        try DedicatedThread.start(name: "memory-watch") {
            var (lastBytes, skipped) = (0, 0)
            while true {
                usleep(Self.lookMicroseconds)
                let bytes = memory.bytes.load(ordering: .relaxed)
                skipped += 1
                if bytes == lastBytes, skipped < Self.idleLooks, !self.isFull { continue }
                (lastBytes, skipped) = (bytes, 0)
                self.update(memory)
            }
        }
    }

    private func update(_ memory: IndexMemory) {
        let indexBytes = memory.bytes.load(ordering: .relaxed)
        // If the figures cannot be read now, the last decision stays.
        guard let look = self.look(indexBytes: indexBytes) else { return }
        memory.ceilingBytes.store(look.ceilingBytes, ordering: .relaxed)
        self.tell(look, room: look.room(indexBytes: indexBytes), memory)
        self.giveBack(look)
    }

    private func look(indexBytes: Int) -> MemoryModel.Look? {
        let uses = self.setting.uses
        return self.guarded.withLock { guarded in
            guard let look = guarded.model.look(at: uses, indexBytes: indexBytes) else { return nil }
            guarded.look = look
            return look
        }
    }

    /// Full from the first refusal, or when there is no room, until a hundredth of the limit is free again.
    private func tell(_ look: MemoryModel.Look, room: Int, _ memory: IndexMemory) {
        let refusals = memory.refusals.load(ordering: .relaxed)
        let change = self.guarded.withLock { guarded -> Bool? in
            let isRefusing = refusals != guarded.refusals
            guarded.refusals = refusals
            let wasFull = guarded.isFull
            if room <= 0 || isRefusing {
                guarded.isFull = true
            } else if room >= Int(clamping: look.nearest.limitBytes / 100) {
                guarded.isFull = false
            }
            return guarded.isFull == wasFull ? nil : guarded.isFull
        }
        guard let change else { return }
        let details: Logger.Metadata = [
            "used_bytes": .number(look.nearest.usedBytes), "limit_bytes": .number(look.nearest.limitBytes),
            "limit_source": "\(look.nearest.source.rawValue)",
        ]
        if change {
            self.events.tell(
                .memoryFull, .error,
                "the store is near its memory limit: sets that add data are refused; reads and deletes continue",
                details)
        } else {
            self.events.tell(.memoryAvailable, .notice, "there is memory for sets again", details)
        }
    }

    /// Makes the allocator return unused memory, if much keeps the index from growing: of the index, or what requests have
    /// left, of which nobody knows how much is unused.
    private func giveBack(_ look: MemoryModel.Look) {
        let worthwhile = look.nearest.limitBytes / 20
        guard
            look.isAtSystemLimit && UInt64(look.reusableBytes) > worthwhile
                || self.isFull && UInt64(look.otherBytes) > worthwhile
        else { return }
        let now = MonotonicClock.nanoseconds()
        let isDue = self.guarded.withLock { guarded in
            guard guarded.trimmedAt == 0 || now - guarded.trimmedAt >= Self.trimNanoseconds else { return false }
            guarded.trimmedAt = now
            return true
        }
        if isDue { Allocator.giveBack() }
    }

    /// A warning, not a failure: taking the service out would stop reads and deletes too.
    var check: ServiceGate.Check {
        .init(name: "memory", severity: .warning) {
            self.guarded.withLock { guarded in
                guard guarded.isFull, let use = guarded.look?.nearest else { return nil }
                return "sets that add data are refused, reads and deletes continue: \(Self.words(use))"
            }
        }
    }

    /// The answer to a set for which the index has no room.
    var problem: Problem {
        let use = self.status.map { " \(Self.words($0.nearest))." } ?? ""
        return Problem(
            .insufficientStorage, code: "memory_limit",
            detail:
                "The store is near its memory limit and refuses sets that add data; reads and deletes continue.\(use)",
            applied: .no, headers: [("Retry-After", "5")])
    }

    static func words(_ use: MemoryUse) -> String {
        let limit =
            switch use.source {
            case .setting: "--max-memory"
            case .controlGroup: "the control group's limit"
            case .addressSpace: "the address space limit (ulimit -v)"
            case .machine: "the machine's memory"
            }
        return "\(use.usedBytes) of \(use.limitBytes) bytes are used (\(limit))"
    }

    // MARK: - During the replay

    /// - Throws: ``LogError/outOfMemory(_:)`` if the rest of the log would not fit.
    func replayed(_ progress: ReplayProgress, indexBytes: Int) throws(LogError) {
        let isDue = self.guarded.withLock { guarded in
            if indexBytes < guarded.nextReplayLook { return false }
            let limit = Int(clamping: guarded.look?.nearest.limitBytes ?? 0)
            guarded.nextReplayLook = indexBytes + min(64 << 20, max(1 << 20, limit / 200))
            return true
        }
        guard isDue, let look = self.look(indexBytes: indexBytes) else { return }
        let use = look.nearest
        let before = self.guarded.withLock { guarded in
            let before = guarded.beforeReplay ?? use.usedBytes - min(use.usedBytes, UInt64(indexBytes))
            guarded.beforeReplay = before
            return before
        }
        guard MemoryModel.endsReplay(use), progress.bytesTotal > progress.bytesRead else { return }
        throw .outOfMemory(Self.shortage(use, before: before, progress))
    }

    static func shortage(_ use: MemoryUse, before: UInt64, _ progress: ReplayProgress) -> String {
        let part = Double(max(1, progress.bytesRead)) / Double(max(1, progress.bytesTotal))
        let grown = Double(use.usedBytes - min(use.usedBytes, before))
        // Such that the threshold is above it.
        let atFull = Double(before) + grown / part
        let needed = max(atFull / 0.9, atFull + Double(32 << 20))
        return """
            the store does not fit into memory: \(Self.words(use)) after \(progress.bytesRead) of \
            \(progress.bytesTotal) bytes of the log. The whole log needs a limit of about \(Int(needed)) bytes, less \
            if later parts of the log delete or replace earlier records. Nothing was changed
            """
    }
}
