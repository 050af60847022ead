import LogFormat
import SystemSupport
import TransactionLog

/// One event loop's access to the store in this process. Reads complete immediately, from the index; writes are
/// collected until ``flush()`` and complete when they are durable.
final class EmbeddedSession: StorageSession {
    private let log: TransactionLog<Committer>
    private let reader: Index.Reader
    private let clock: StoreClock
    private let mailbox: CompletionMailbox
    private let mailboxNumber: UInt16
    private let endOfTurn: () -> Void
    private var outbox: [WriteCommand] = []
    private var outboxBytes = 0
    /// By ticket.
    private var pending: [(any PendingWrite)?] = []
    private var freeTickets: [UInt32] = []
    /// By ticket: transactions and idempotency keys, to which the writer has only pointers.
    private var held: [(transaction: Transaction?, key: IdempotencyKey?)] = []
    private var delivered = CompletionMailbox.Content()

    init(
        log: TransactionLog<Committer>, reader: Index.Reader, clock: StoreClock, mailbox: CompletionMailbox,
        mailboxNumber: UInt16,
        endOfTurn: @escaping () -> Void
    ) {
        self.log = log
        self.reader = reader
        self.clock = clock
        self.mailbox = mailbox
        self.mailboxNumber = mailboxNumber
        self.endOfTurn = endOfTurn
    }

    func get(_ key: UnsafeRawBufferPointer, for read: any PendingRead) {
        unsafe self.reader.withEntry(key) { read.readCompleted(self.outcome($0)) }
    }

    func get(_ keys: [[UInt8]], _ completion: @escaping (Result<SeveralReader, StoreFailure>) -> Void) {
        completion(.success { body in self.reader.withEntries(keys) { body(self.outcome($0)) } })
    }

    @inline(__always)
    private func outcome(_ entry: Entry?) -> ReadOutcome {
        guard let entry, !entry.hasExpired(by: self.clock) else { return .missing }
        return unsafe .value(entry.value, revision: entry.revision, expiresAt: entry.expiresAt)
    }

    func scan(_ scan: Scan, _ completion: @escaping (Result<ScanReader, StoreFailure>) -> Void) {
        completion(
            .success { body in
                self.reader.scan(
                    scan.range, isReversed: scan.isReversed, at: self.clock.milliseconds(), counting: scan.counted
                ) { body(LiveRecord($0)) }
            })
    }

    var storeID: StoreID { self.log.report.storeID }

    func set(
        _ key: UnsafeRawBufferPointer, to value: UnsafeRawBufferPointer, expiring expiry: Expiry,
        if condition: WriteCondition, deadline: UInt64?, once idempotencyKey: IdempotencyKey?,
        for write: any PendingWrite
    ) {
        guard let entry = unsafe Entry.makeIfPossible(key: key, value: value, expiresAt: expiry.encoded) else {
            return write.writeCompleted(.outOfMemory)
        }
        self.enqueue(.set(entry), condition, deadline, idempotencyKey, write)
    }

    func delete(
        _ key: UnsafeRawBufferPointer, if condition: WriteCondition, deadline: UInt64?,
        once idempotencyKey: IdempotencyKey?, for write: any PendingWrite
    ) {
        let entry = unsafe Entry.make(key: key, value: UnsafeRawBufferPointer(start: nil, count: 0))
        self.enqueue(.delete(entry), condition, deadline, idempotencyKey, write)
    }

    func perform(
        _ transaction: Transaction, deadline: UInt64?, once idempotencyKey: IdempotencyKey?,
        for write: any PendingWrite
    ) {
        let ticket = unsafe self.enqueue(
            .transaction(.passUnretained(transaction)), .none, deadline, idempotencyKey, write)
        self.held[Int(ticket)].transaction = transaction
    }

    @discardableResult
    private func enqueue(
        _ content: WriteCommand.Content, _ condition: WriteCondition, _ deadline: UInt64?, _ key: IdempotencyKey?,
        _ write: any PendingWrite
    ) -> UInt32 {
        let ticket: UInt32
        if let free = self.freeTickets.popLast() {
            ticket = free
            self.pending[Int(ticket)] = write
        } else {
            ticket = UInt32(self.pending.count)
            self.pending.append(write)
            self.held.append((nil, nil))
        }
        if let key { self.held[Int(ticket)].key = key }
        let command = WriteCommand(
            content: content, submittedAt: MonotonicClock.nanoseconds(), deadline: deadline ?? .max, ticket: ticket,
            mailbox: self.mailboxNumber, condition: condition, idempotencyKey: key)
        self.outbox.append(command)
        self.outboxBytes += command.keyAndValueBytes
        if self.outbox.count == 1 { self.endOfTurn() }
        return ticket
    }

    func flush() {
        if self.outbox.isEmpty { return }
        let refusal = self.log.submit(self.outbox, bytes: self.outboxBytes)
        self.outboxBytes = 0
        if let refusal { return self.refuse(refusal) }
        self.outbox.removeAll(keepingCapacity: true)
    }

    private func refuse(_ refusal: CommitRefusal) {
        // A completion can begin the next write.
        let commands = self.outbox
        self.outbox = []
        for command in commands {
            command.free()
            self.complete(command.ticket, WriteResult(outcome: .refused(refusal), timings: WriteTimings()))
        }
    }

    func deliverCompletions() {
        self.mailbox.take(into: &self.delivered)
        var start = 0
        for index in self.delivered.batches.indices {
            let (batch, end) = self.delivered.batches[index]
            self.deliver(start..<end, of: batch)
            start = end
        }
        self.delivered.removeAll()
    }

    private func deliver(_ range: Range<Int>, of batch: CompletionMailbox.Batch) {
        let (takenAt, refusal) = (batch.timings.takenAt, batch.refusal)
        let isRefused = refusal != nil
        var timings = WriteTimings(batch)
        for index in range {
            let completion = self.delivered.completions[index]
            if !isRefused {
                timings.queue = takenAt - min(completion.submittedAt, takenAt)
                timings.queuedAt = completion.submittedAt
            }
            self.complete(
                completion.ticket,
                WriteResult(
                    outcome: WriteOutcome(completion, refusal), timings: timings, isReplayed: completion.isReplayed))
        }
    }

    private func complete(_ ticket: UInt32, _ result: WriteResult) {
        guard let write = self.pending[Int(ticket)].take() else { preconditionFailure("a write was completed twice") }
        self.freeTickets.append(ticket)
        self.held[Int(ticket)] = (nil, nil)
        write.writeCompleted(result)
    }
}

extension WriteOutcome {
    @inline(__always)
    init(_ completion: CompletionMailbox.Completion, _ refusal: CommitRefusal?) {
        switch completion.kind {
        case .created: self = .set(revision: completion.revision, created: true)
        case .replaced: self = .set(revision: completion.revision, created: false)
        case .deleted: self = .deleted(revision: completion.revision, existed: true)
        case .missing: self = .deleted(revision: completion.revision, existed: false)
        case .decided: self = .decided
        case .conditionUnmet: self = .conditionUnmet(current: completion.revision == 0 ? nil : completion.revision)
        case .late: self = .late
        case .outOfMemory: self = .outOfMemory
        case .keyReused: self = .idempotencyKeyReused
        case .refused:
            guard let refusal else { preconditionFailure("a write was refused without a reason") }
            self = .refused(refusal)
        }
    }
}

extension WriteTimings {
    /// What the writes of a batch share; nothing for a batch that was refused.
    fileprivate init(_ batch: CompletionMailbox.Batch) {
        if batch.refusal != nil { return }
        self.write = batch.timings.writeNanoseconds
        self.fsync = batch.timings.syncNanoseconds
        self.apply = batch.applyNanoseconds
        self.writeBeganAt = batch.timings.writeBeganAt
        self.applyBeganAt = batch.applyBeganAt
        self.batchWrites = batch.timings.commands
    }
}
