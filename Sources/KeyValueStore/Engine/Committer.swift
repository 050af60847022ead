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
    let clock: StoreClock
    /// Called on the writer thread with the milliseconds by which the wall clock was set forward.
    private let onClockStep: @Sendable (UInt64) -> Void
    private let memory: IndexMemory
    private let mailboxes = Mutex<[CompletionMailbox]>([])
    /// Writer thread: by number of the mailbox, the staged writes of the batch.
    private var outgoing: [(mailbox: CompletionMailbox, completions: [CompletionMailbox.Completion])] = []

    /// What is known of writes with idempotency keys.
    private var receipts = Receipts()
    /// For other threads: their number, and how often one was used.
    let receiptCount = Atomic<Int>(0)
    let replays = Atomic<UInt64>(0)
    /// Keys that were removed because they had expired.
    let expiredKeys = Atomic<UInt64>(0)
    /// When keys that expired were last removed: monotonic nanoseconds.
    private var expiredAt: UInt64 = 0

    init(index: Index, clock: StoreClock, onClockStep: @escaping @Sendable (UInt64) -> Void) {
        self.index = index
        self.clock = clock
        self.onClockStep = onClockStep
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

    /// Takes an operation of the log, in its order.
    /// - Returns: the record that it replaces or removes.
    func replay(_ revision: UInt64, _ operation: LoggedOperation) -> ReplacedRecord? {
        if operation.kind == .receipt {
            let receipt = unsafe Receipt(decoding: operation.value, revision: revision)
            if let receipt { unsafe self.receipts.replay(operation.key, receipt) }
            return nil
        }
        return self.index.replay(revision, operation)
    }

    func finishReplay(lastRevision: UInt64) {
        self.index.finishReplay(lastRevision: lastRevision)
        self.receipts.finishReplay(now: self.clock.milliseconds())
        self.receiptCount.store(self.receipts.count, ordering: .relaxed)
    }

    func writeReceipts(
        upTo revision: UInt64, from position: Int, into frame: inout FrameBuilder, limitBytes: Int
    ) -> Int? {
        self.receipts.write(from: position, upTo: revision, into: &frame, limitBytes: limitBytes)
    }

    func payloadBytes(of command: WriteCommand) -> Int {
        self.payloadBytesOfChanges(of: command) + command.receiptBytes
    }

    private func payloadBytesOfChanges(of command: WriteCommand) -> Int {
        let expires = self.index.expiring.count > 0
        switch command.content {
        case .set(let entry), .delete(let entry):
            let bytes = FrameBuilder.singleOperationBytes(
                key: entry.keyCount, value: entry.valueCount, hasExpiry: entry.hasExpiry)
            // What has expired is removed first, and what is set here may have expired when the next command comes.
            let removals = (expires ? 1 : 0) + (entry.hasExpiry ? 1 : 0)
            return bytes + removals * FrameBuilder.singleOperationBytes(key: entry.keyCount, value: 0)
        case .transaction(let transaction):
            return unsafe transaction._withUnsafeGuaranteedRef { transaction in
                let bytes = Self.payloadBytes(of: transaction)
                if !expires { return bytes }
                return transaction.keys.reduce(bytes) {
                    $0 + FrameBuilder.singleOperationBytes(key: $1.count, value: 0)
                }
            }
        }
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
            // First, because what has been carried out is not refused.
            if let key = command.idempotencyKey, self.answerFromReceipt(key, command) { continue }
            if now > command.deadline {
                command.free()
                self.post(.late, revision: 0, to: command)
                continue
            }
            switch command.content {
            case .set(let entry): self.stageSet(of: entry, command, into: &frame)
            case .delete(let entry): self.stageDelete(of: entry, command, into: &frame)
            case .transaction(let transaction):
                unsafe transaction._withUnsafeGuaranteedRef { self.stage($0, command, into: &frame) }
            }
        }
    }

    private func stageSet(of entry: Entry, _ command: WriteCommand, into frame: inout FrameBuilder) {
        unsafe self.expire(entry.key, into: &frame)
        if let current = unsafe self.unmet(command.condition, by: entry.key) {
            entry.free()
            return self.post(.conditionUnmet, revision: current, to: command)
        }
        // The usual case, without a search for the replaced record.
        if !self.memory.admits(entry.allocatedBytes, from: self.index.allocatedBytes) {
            let replaced = unsafe self.index.staged(entry.key)?.allocatedBytes ?? 0
            guard self.admits(entry.allocatedBytes, replacing: replaced) else {
                entry.free()
                return self.post(.outOfMemory, revision: 0, to: command)
            }
        }
        if entry.hasExpiry { entry.expiresAt = Expiry.time(entry.expiresAt, now: self.clock.milliseconds()) }
        frame.beginTransaction()
        let isNew = self.stageSet(entry, into: &frame)
        self.stageReceipt(.set, of: command, into: &frame)
        let revision = self.endTransaction(&frame)
        self.post(isNew ? .created : .replaced, revision: revision, to: command)
    }

    private func stageDelete(of entry: Entry, _ command: WriteCommand, into frame: inout FrameBuilder) {
        defer { entry.free() }
        unsafe self.expire(entry.key, into: &frame)
        if let current = unsafe self.unmet(command.condition, by: entry.key) {
            return self.post(.conditionUnmet, revision: current, to: command)
        }
        let exists = unsafe self.index.staged(entry.key) != nil
        if exists {
            frame.beginTransaction()
            unsafe self.stageDelete(entry.key, into: &frame)
            self.stageReceipt(.deleted, of: command, into: &frame)
            self.endTransaction(&frame)
        }
        // The newest change, staged or visible, if this is none.
        self.post(exists ? .deleted : .missing, revision: frame.nextRevision - 1, to: command)
    }

    private func stage(_ transaction: Transaction, _ command: WriteCommand, into frame: inout FrameBuilder) {
        if self.index.expiring.count > 0 {
            for key in transaction.keys { unsafe key.withUnsafeBytes { unsafe self.expire($0, into: &frame) } }
        }
        let outcome = self.stage(transaction, command, now: self.clock.milliseconds(), into: &frame)
        if let outcome { transaction.outcome = outcome }
        self.post(outcome == nil ? .outOfMemory : .decided, revision: 0, to: command)
    }

    /// In the open transaction, behind its changes.
    func stageReceipt(_ answer: Receipt.Answer, of command: WriteCommand, into frame: inout FrameBuilder) {
        guard let key = command.idempotencyKey else { return }
        let receipt = Receipt(
            fingerprint: key.fingerprint, revision: frame.nextRevision, time: self.clock.milliseconds(), answer: answer)
        let content = receipt.encoded(inTransaction: true)
        unsafe key.bytes.withUnsafeBytes { key in
            unsafe content.withUnsafeBytes { unsafe frame.receipt(key: key, content: $0) }
        }
        self.receipts.stage(key, receipt)
    }

    /// Answers a command that repeats an earlier one, or uses its key for something else.
    private func answerFromReceipt(_ key: IdempotencyKey, _ command: WriteCommand) -> Bool {
        guard let receipt = self.receipts.find(key) else { return false }
        command.free()
        guard receipt.fingerprint == key.fingerprint else {
            self.post(.keyReused, revision: 0, to: command)
            return true
        }
        self.replays.add(1, ordering: .relaxed)
        switch (receipt.answer, command.content) {
        case (.set, .set): self.post(.replaced, revision: receipt.revision, isReplayed: true, to: command)
        case (.deleted, .delete): self.post(.deleted, revision: receipt.revision, isReplayed: true, to: command)
        case (.transaction(let results), .transaction(let transaction)):
            unsafe transaction._withUnsafeGuaranteedRef {
                $0.outcome = .committed(revision: receipt.revision, results)
            }
            self.post(.decided, revision: 0, isReplayed: true, to: command)
        default: self.post(.keyReused, revision: 0, to: command)
        }
        return true
    }

    /// Within an open transaction, whose revision the entry gets.
    /// - Returns: whether the key did not exist.
    @discardableResult
    func stageSet(_ entry: Entry, into frame: inout FrameBuilder) -> Bool {
        unsafe frame.set(key: entry.key, value: entry.value, expiresAt: entry.expiresAt)
        entry.revision = frame.nextRevision
        self.index.history?.set(entry)
        guard let replaced = self.index.set(entry) else { return true }
        frame.replaces(revision: replaced.revision, bytes: replaced.bytes)
        return false
    }

    /// Within an open transaction.
    /// - Precondition: the key exists.
    func stageDelete(_ key: UnsafeRawBufferPointer, isExpiry: Bool = false, into frame: inout FrameBuilder) {
        // The key may be a part of the entry that is removed.
        unsafe frame.delete(key: key, isExpiry: isExpiry)
        unsafe self.index.history?.delete(key, revision: frame.nextRevision, isExpiry: isExpiry)
        guard let removed = unsafe self.index.remove(key) else { preconditionFailure("the key does not exist") }
        frame.replaces(revision: removed.revision, bytes: removed.bytes)
    }

    /// - Returns: its revision.
    @discardableResult
    func endTransaction(_ frame: inout FrameBuilder) -> UInt64 {
        self.index.history?.endTransaction()
        return frame.endTransaction()
    }

    /// - Returns: nil if the key meets the condition; otherwise its revision, or 0 if it does not exist.
    private func unmet(_ condition: WriteCondition, by key: UnsafeRawBufferPointer) -> UInt64? {
        if condition == .none { return nil }
        let current = unsafe self.index.staged(key)?.revision
        return condition.isMet(by: current) ? nil : current ?? 0
    }

    /// - Parameter replaced: bytes of the entries that are replaced.
    func admits(_ bytes: Int, replacing replaced: Int) -> Bool {
        if self.memory.admits(bytes - replaced, from: self.index.allocatedBytes) { return true }
        self.memory.refusals.add(1, ordering: .relaxed)
        return false
    }

    func takesSpace(_ command: WriteCommand) -> Bool {
        switch command.content {
        case .set: true
        case .delete: false
        case .transaction(let transaction): unsafe transaction._withUnsafeGuaranteedRef { $0.takesSpace }
        }
    }

    // MARK: - Expiry

    /// How often keys that expired are removed, and how often the wall clock is looked at while there are any.
    private static let expiryNanoseconds: UInt64 = 100_000_000
    private static let clockMilliseconds: UInt64 = 1_000

    /// Stages the removal of `key` if it has expired, as a transaction of its own, so that what follows finds no key.
    private func expire(_ key: UnsafeRawBufferPointer, into frame: inout FrameBuilder) {
        if self.index.expiring.count == 0 { return }
        guard let entry = unsafe self.index.staged(key), entry.hasExpired(by: self.clock) else { return }
        self.stageExpiry(of: entry, into: &frame)
    }

    private func stageExpiry(of entry: Entry, into frame: inout FrameBuilder) {
        frame.beginTransaction()
        unsafe self.stageDelete(entry.key, isExpiry: true, into: &frame)
        self.endTransaction(&frame)
        self.expiredKeys.add(1, ordering: .relaxed)
    }

    func ownWorkDue() -> UInt64 {
        guard let first = self.index.expiring.first else { return .max }
        let now = self.clock.milliseconds()
        // A time that is far away does not fit into 64 bits in nanoseconds.
        let wait = min(first.expiresAt - min(first.expiresAt, now), Self.clockMilliseconds)
        return max(MonotonicClock.nanoseconds() + wait * 1_000_000, self.expiredAt + Self.expiryNanoseconds)
    }

    func stageOwnWork(into frame: inout FrameBuilder, limitBytes: Int) {
        self.expiredAt = MonotonicClock.nanoseconds()
        let step = self.clock.follow()
        if step > 0 { self.onClockStep(step) }
        while let entry = self.index.expiring.first, entry.hasExpired(by: self.clock) {
            let bytes = FrameBuilder.singleOperationBytes(key: entry.keyCount, value: 0)
            if frame.payloadBytes + bytes > limitBytes && !frame.isEmpty { return }
            self.stageExpiry(of: entry, into: &frame)
        }
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
            self.index.publish(revision: lastRevision)
            self.index.history?.publish(revision: lastRevision)
        }
        self.receipts.commit(now: self.clock.milliseconds())
        self.receiptCount.store(self.receipts.count, ordering: .relaxed)
        let applied = MonotonicClock.nanoseconds() - began
        self.deliver(.init(timings: batch, applyBeganAt: began, applyNanoseconds: applied))
    }

    func rollBack(_ reason: CommitRefusal) {
        self.index.rollBack()
        self.receipts.rollBack()
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
            command.free()
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

    private func post(
        _ kind: CompletionMailbox.Completion.Kind, revision: UInt64, isReplayed: Bool = false, to command: WriteCommand
    ) {
        let number = Int(command.mailbox)
        if number >= self.outgoing.count { self.findMailboxes() }
        self.outgoing[number].completions.append(
            .init(
                ticket: command.ticket, kind: kind, isReplayed: isReplayed, submittedAt: command.submittedAt,
                revision: revision))
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
