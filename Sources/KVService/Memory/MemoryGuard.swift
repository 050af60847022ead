import Glibc
import HTTP1
import HTTPServing
import JSONLogging
import KeyValueStore
import LogFormat
import Logging
import NIOHTTP1
import ServiceKit
import Synchronization
import SystemSupport
import TransactionLog

/// Keeps the store within the memory that there is: tells the index several times a second how far it may grow, and ends
/// a replay that does not fit. Any thread.
final class MemoryGuard: Sendable {
    /// Returned memory is looked for no more often than this.
    private static let trimNanoseconds: UInt64 = 10_000_000_000
    private static let lookMicroseconds: UInt32 = 250_000

    private struct Guarded {
        var model = MemoryModel()
        var look: MemoryModel.Look?
        var isFull = false
        var refusals: UInt64 = 0
        var trimmedAt: UInt64 = 0
        /// Index bytes at which the replay looks next.
        var nextReplayLook = 0
        /// What the process took before the replay, by the limit that was nearest.
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

    /// What was seen last; nil without a limit.
    var status: MemoryModel.Look? { self.guarded.withLock { $0.look } }
    /// Whether sets that add are refused.
    var isFull: Bool { self.guarded.withLock { $0.isFull } }
    /// Sets that were refused.
    var refusals: UInt64 { self.holder.engine?.memory.refusals.load(ordering: .relaxed) ?? 0 }
    var indexBytes: Int { self.holder.engine?.memory.bytes.load(ordering: .relaxed) ?? 0 }

    /// The smallest limit that holds, in bytes.
    var smallestLimit: UInt64? { self.setting.uses.map(\.limitBytes).min() }

    // MARK: - While the service runs

    /// Looks from now on, on a thread of its own, for as long as the process runs.
    func start() throws(ThreadError) {
        guard self.setting != .none, let memory = self.holder.engine?.memory else { return }
        self.update(memory)
        try DedicatedThread.start(name: "memory-watch") {
            while true {
                usleep(Self.lookMicroseconds)
                self.update(memory)
            }
        }
    }

    private func update(_ memory: IndexMemory) {
        let indexBytes = memory.bytes.load(ordering: .relaxed)
        // What cannot be read now stays as it was.
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

    /// Full from the first refusal, or when there is no room, until there is a hundredth of the limit again.
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
                "the store is near its memory limit: sets that add are refused; reads and deletes go on", details)
        } else {
            self.events.tell(.memoryAvailable, .notice, "there is memory for further sets again", details)
        }
    }

    /// Has the allocator return what it has no use for, when much of it keeps the index from growing.
    private func giveBack(_ look: MemoryModel.Look) {
        guard look.isAtSystemLimit, UInt64(look.reusableBytes) > look.nearest.limitBytes / 20 else { return }
        let now = MonotonicClock.nanoseconds()
        let isDue = self.guarded.withLock { guarded in
            guard guarded.trimmedAt == 0 || now - guarded.trimmedAt >= Self.trimNanoseconds else { return false }
            guarded.trimmedAt = now
            return true
        }
        if isDue { Allocator.giveBack() }
    }

    /// Ready all the same: taking the service out would end reads and deletes too.
    var check: ServiceGate.Check {
        .init(name: "memory", severity: .warning) {
            self.guarded.withLock { guarded in
                guard guarded.isFull, let use = guarded.look?.nearest else { return nil }
                return "sets that add are refused, reads and deletes go on: \(Self.words(use))"
            }
        }
    }

    /// What a set is answered that the index has no room for.
    var problem: Problem {
        let use = self.status.map { " \(Self.words($0.nearest))." } ?? ""
        return Problem(
            .insufficientStorage, code: "memory_limit",
            detail:
                "The store is near its memory limit and takes no sets that add to it; reads and deletes go on.\(use)",
            applied: .no, headers: [("Retry-After", "5")])
    }

    static func words(_ use: MemoryUse) -> String {
        let limit =
            switch use.source {
            case .setting: "--max-memory"
            case .controlGroup: "the control group's limit"
            case .addressSpace: "the limit of the address space (ulimit -v)"
            case .machine: "the machine's memory"
            }
        return "\(use.usedBytes) of \(use.limitBytes) bytes are used, \(limit)"
    }

    // MARK: - During the replay

    /// - Throws: ``LogError/outOfMemory(_:)`` when the rest of the log would not fit.
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
            the store does not fit into memory: \(Self.words(use)), and \(progress.bytesRead) of \
            \(progress.bytesTotal) bytes of the log are read. All of it needs a limit of about \(Int(needed)) bytes, less \
            if later parts of the log delete or replace what is before them. Nothing was changed
            """
    }
}
