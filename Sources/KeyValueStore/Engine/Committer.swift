import LogFormat
import Synchronization
import SystemSupport
import TransactionLog

/// The store's side of the commit path: decides what each command writes, in order, against the staged index, and makes
/// a batch visible once it is durable. Confined to the thread of the start during replay, then to the log's writer
/// thread.
final class Committer: CommitClient, @unchecked Sendable {
    // `@unchecked`: one thread at a time, see above; readers access the index by its own rules.

    let index: Index
    private let memory: IndexMemory
    private let mailboxes = Mutex<[CompletionMailbox]>([])
    /// Writer thread: by number of the mailbox, the staged writes of the batch.
    private var outgoing: [(mailbox: CompletionMailbox, completions: [CompletionMailbox.Completion])] = []

    init(index: Index) {
        self.index = index
        self.memory = index.memory
    }

    /// From now on commands may name the mailbox by the number that is returned. Any thread.
    func register(_ mailbox: CompletionMailbox) -> UInt16 {
        self.mailboxes.withLock { mailboxes in
            mailboxes.append(mailbox)
            return UInt16(mailboxes.count - 1)
        }
    }

    // MARK: - CommitClient

    func finishReplay(lastRevision: UInt64) { self.index.finishReplay(lastRevision: lastRevision) }

    func payloadBytes(of command: WriteCommand) -> Int {
        FrameBuilder.singleOperationBytes(key: command.entry.keyCount, value: command.entry.valueCount)
    }

    func frameEnd(of commands: ArraySlice<WriteCommand>, limitBytes: Int) -> (end: Int, bytes: Int) {
        var total = 0
        for index in commands.indices {
            let bytes = self.payloadBytes(of: commands[index])
            if total + bytes > limitBytes && index > commands.startIndex { return (index, total) }
            total += bytes
        }
        return (commands.endIndex, total)
    }

    /// The last point at which a write can be refused for its deadline: it has waited in the queue and for a segment,
    /// and the next step is the write itself.
    func stage(_ commands: ArraySlice<WriteCommand>, into frame: inout FrameBuilder) {
        let now = MonotonicClock.nanoseconds()
        for command in commands {
            if let refused = self.refusal(of: command, now: now) {
                command.entry.free()
                self.post(refused.kind, revision: refused.revision, to: command)
            } else if command.isDelete {
                self.stageDelete(command, into: &frame)
            } else {
                self.stageSet(command, into: &frame)
            }
        }
    }

    private func stageSet(_ command: WriteCommand, into frame: inout FrameBuilder) {
        let entry = command.entry
        frame.beginTransaction()
        unsafe frame.set(key: entry.key, value: entry.value)
        let revision = frame.endTransaction()
        entry.revision = revision
        self.index.history?.set(entry)
        let replaced = self.index.set(entry)
        self.index.history?.endTransaction()
        if let replaced { frame.replaces(revision: replaced.revision, bytes: replaced.bytes) }
        self.post(replaced == nil ? .created : .replaced, revision: revision, to: command)
    }

    private func stageDelete(_ command: WriteCommand, into frame: inout FrameBuilder) {
        defer { command.entry.free() }
        if let history = self.index.history, unsafe self.index.staged(command.entry.key) != nil {
            unsafe history.delete(command.entry.key, revision: frame.nextRevision)
        }
        let removed = unsafe self.index.remove(command.entry.key)
        if let removed {
            self.index.history?.endTransaction()
            frame.beginTransaction()
            frame.replaces(revision: removed.revision, bytes: removed.bytes)
            unsafe frame.delete(key: command.entry.key)
            frame.endTransaction()
        }
        // The newest change, staged or visible, if this is none.
        self.post(removed == nil ? .missing : .deleted, revision: frame.nextRevision - 1, to: command)
    }

    private func refusal(
        of command: WriteCommand, now: UInt64
    ) -> (kind: CompletionMailbox.Completion.Kind, revision: UInt64)? {
        if now > command.deadline { return (.late, 0) }
        if command.condition != .none {
            let current = unsafe self.index.staged(command.entry.key)?.revision
            if !command.condition.isMet(by: current) { return (.conditionUnmet, current ?? 0) }
        }
        if command.isDelete { return nil }
        let entry = command.entry
        // The usual case, without a search for the replaced record.
        if self.memory.admits(entry.allocatedBytes, from: self.index.allocatedBytes) { return nil }
        let replaced = unsafe self.index.staged(entry.key)?.allocatedBytes ?? 0
        if self.memory.admits(entry.allocatedBytes - replaced, from: self.index.allocatedBytes) { return nil }
        self.memory.refusals.add(1, ordering: .relaxed)
        return (.outOfMemory, 0)
    }

    func takesSpace(_ command: WriteCommand) -> Bool { !command.isDelete }

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
            self.index.publish(revision: lastRevision)
            self.index.history?.publish(revision: lastRevision)
        }
        let applied = MonotonicClock.nanoseconds() - began
        self.deliver(.init(timings: batch, applyBeganAt: began, applyNanoseconds: applied))
    }

    func rollBack(_ reason: CommitRefusal) {
        self.index.rollBack()
        self.index.history?.rollBack()
        self.noteFailure(reason)
        for number in self.outgoing.indices {
            // Those that were refused do not depend on the frame.
            for index in self.outgoing[number].completions.indices
            where !self.outgoing[number].completions[index].kind.isRefusal {
                self.outgoing[number].completions[index].kind = .refused
            }
        }
        self.deliver(.init(refusal: reason))
    }

    func refuse(_ commands: ArraySlice<WriteCommand>, _ reason: CommitRefusal) {
        for command in commands {
            command.entry.free()
            self.post(.refused, revision: 0, to: command)
        }
        self.noteFailure(reason)
        self.deliver(.init(refusal: reason))
    }

    /// Those who watch will see no further change.
    private func noteFailure(_ reason: CommitRefusal) {
        if case .failed = reason { self.index.history?.fail() }
    }

    // MARK: - Results

    private func post(_ kind: CompletionMailbox.Completion.Kind, revision: UInt64, to command: WriteCommand) {
        let number = Int(command.mailbox)
        if number >= self.outgoing.count { self.findMailboxes() }
        self.outgoing[number].completions.append(
            .init(ticket: command.ticket, kind: kind, submittedAt: command.submittedAt, revision: revision))
    }

    private func findMailboxes() {
        let mailboxes = self.mailboxes.withLock { $0 }
        for mailbox in mailboxes[self.outgoing.count...] { self.outgoing.append((mailbox, [])) }
    }

    private func deliver(_ batch: CompletionMailbox.Batch) {
        for number in self.outgoing.indices where !self.outgoing[number].completions.isEmpty {
            self.outgoing[number].mailbox.deliver(self.outgoing[number].completions, of: batch)
            self.outgoing[number].completions.removeAll(keepingCapacity: true)
        }
    }
}
