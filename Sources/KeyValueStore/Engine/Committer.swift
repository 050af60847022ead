import LogFormat
import Synchronization
import SystemSupport
import TransactionLog

/// The store's side of the commit path: decides what each command writes, in order, against the staged index, and makes
/// a batch visible once it is durable. Confined to the thread of the start during replay, then to the log's writer
/// thread.
final class Committer: CommitClient, @unchecked Sendable {
    // `@unchecked`: one thread at a time, see above; readers access the index by its own rules.

    private struct Staged {
        var command: WriteCommand
        var outcome: WriteOutcome
    }

    let index: Index
    private var staged: [Staged] = []
    private var outgoing: [(mailbox: CompletionMailbox, completions: [CompletionMailbox.Completion])] = []

    init(index: Index) { self.index = index }

    // MARK: - CommitClient

    func finishReplay(lastRevision: UInt64) { self.index.finishReplay(lastRevision: lastRevision) }

    func payloadBytes(of command: WriteCommand) -> Int {
        FrameBuilder.singleOperationBytes(key: command.keyCount, value: command.valueCount)
    }

    /// The last point at which a write can be refused for its deadline: it has waited in the queue and for a segment,
    /// and the next step is the write itself.
    func stage(_ command: WriteCommand, into frame: inout FrameBuilder) {
        let outcome: WriteOutcome
        if let refused = self.refusal(of: command) {
            if case .set(let entry) = command.action { entry.free() }
            self.staged.append(Staged(command: command, outcome: refused))
            return
        }
        switch command.action {
        case .set(let entry):
            frame.beginTransaction()
            unsafe frame.set(key: entry.key, value: entry.value)
            let revision = frame.endTransaction()
            entry.revision = revision
            let replaced = self.index.set(entry)
            if let replaced { frame.replaces(revision: replaced.revision, bytes: replaced.bytes) }
            outcome = .set(revision: revision, created: replaced == nil)
        case .delete(let key):
            let removed = unsafe key.withUnsafeBytes { unsafe self.index.remove($0) }
            if let removed {
                frame.beginTransaction()
                frame.replaces(revision: removed.revision, bytes: removed.bytes)
                unsafe key.withUnsafeBytes { unsafe frame.delete(key: $0) }
                frame.endTransaction()
            }
            // The newest change, staged or visible, if this is none.
            outcome = .deleted(revision: frame.nextRevision - 1, existed: removed != nil)
        }
        self.staged.append(Staged(command: command, outcome: outcome))
    }

    private func refusal(of command: WriteCommand) -> WriteOutcome? {
        if let deadline = command.deadline, MonotonicClock.nanoseconds() > deadline { return .late }
        guard case .set(let entry) = command.action else { return nil }
        let memory = self.index.memory
        // The usual case, without a search for the replaced record.
        if memory.admits(entry.allocatedBytes, from: self.index.allocatedBytes) { return nil }
        let replaced = unsafe self.index.staged(entry.key)?.allocatedBytes ?? 0
        if memory.admits(entry.allocatedBytes - replaced, from: self.index.allocatedBytes) { return nil }
        memory.refusals.add(1, ordering: .relaxed)
        return .outOfMemory
    }

    func takesSpace(_ command: WriteCommand) -> Bool {
        if case .set = command.action { true } else { false }
    }

    // MARK: - Compaction

    /// The compactor's own access to the visible state. Confined to its thread.
    private lazy var liveReader = self.index.makeReader()

    func forEachLive(after key: [UInt8]?, _ body: (LiveRecord) -> Bool) -> Bool {
        self.liveReader.forEachRecord(after: key, body)
    }

    // MARK: - The end of a batch

    func commit(_ batch: CommitTimings, lastRevision: UInt64) {
        let began = MonotonicClock.nanoseconds()
        if batch.transactions > 0 {
            self.index.publish()
            self.index.publishedRevision = lastRevision
        }
        let applied = MonotonicClock.nanoseconds() - began
        for staged in self.staged {
            let timings = WriteTimings(
                queue: batch.takenAt - min(staged.command.submittedAt, batch.takenAt),
                write: batch.writeNanoseconds, fsync: batch.syncNanoseconds, apply: applied,
                queuedAt: staged.command.submittedAt, writeBeganAt: batch.writeBeganAt, applyBeganAt: began,
                batchWrites: self.staged.count)
            self.post(WriteResult(outcome: staged.outcome, timings: timings), to: staged.command)
        }
        self.finishBatch()
    }

    func rollBack(_ reason: CommitRefusal) {
        self.index.rollBack()
        for staged in self.staged {
            let outcome: WriteOutcome =
                switch staged.outcome {
                // These records were not in the frame.
                case .late, .outOfMemory: staged.outcome
                case .set, .deleted, .refused: .refused(reason)
                }
            self.post(WriteResult(outcome: outcome, timings: WriteTimings()), to: staged.command)
        }
        self.finishBatch()
    }

    func refuse(_ commands: ArraySlice<WriteCommand>, _ reason: CommitRefusal) {
        for command in commands {
            if case .set(let entry) = command.action { entry.free() }
            self.post(WriteResult(outcome: .refused(reason), timings: WriteTimings()), to: command)
        }
        self.finishBatch()
    }

    // MARK: - Answers

    private func post(_ result: WriteResult, to command: WriteCommand) {
        let number = command.mailbox.number
        while self.outgoing.count <= number { self.outgoing.append((command.mailbox, [])) }
        if self.outgoing[number].completions.isEmpty { self.outgoing[number].mailbox = command.mailbox }
        self.outgoing[number].completions.append(.init(ticket: command.ticket, result: result))
    }

    private func finishBatch() {
        self.staged.removeAll(keepingCapacity: true)
        for number in self.outgoing.indices where !self.outgoing[number].completions.isEmpty {
            self.outgoing[number].mailbox.deliver(&self.outgoing[number].completions)
        }
    }
}
