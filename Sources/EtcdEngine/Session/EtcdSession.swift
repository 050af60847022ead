import EtcdAPI
import FoundationEssentials
import KeyValueStore
import LogFormat
import SystemSupport
import TransactionLog

/// One event loop's access to a store in etcd. Confined to that loop.
final class EtcdSession: StorageSession {
    private enum Pending {
        case write(any PendingWrite, Transaction?)
        case read(any PendingRead)
        case several((Result<SeveralReader, StoreFailure>) -> Void)
        case scan((Result<ScanReader, StoreFailure>) -> Void)
    }

    let storeID: StoreID
    private let writer: EtcdWriter
    private let reader: EtcdReader
    private let mailbox: AnswerMailbox
    private let endOfTurn: () -> Void
    private var writes: [WriteRequest] = []
    private var reads: [ReadRequest] = []
    /// By ticket.
    private var pending: [Pending?] = []
    private var freeTickets: [UInt32] = []

    init(
        _ storeID: StoreID, _ writer: EtcdWriter, _ reader: EtcdReader, _ mailbox: AnswerMailbox,
        endOfTurn: @escaping () -> Void
    ) {
        self.storeID = storeID
        self.writer = writer
        self.reader = reader
        self.mailbox = mailbox
        self.endOfTurn = endOfTurn
    }

    // MARK: - Reads

    func get(_ key: UnsafeRawBufferPointer, for read: any PendingRead) {
        self.add(.key(unsafe Array(key)), .read(read))
    }

    func get(_ keys: [[UInt8]], _ completion: @escaping (Result<SeveralReader, StoreFailure>) -> Void) {
        self.add(.several(keys), .several(completion))
    }

    func scan(_ scan: Scan, _ completion: @escaping (Result<ScanReader, StoreFailure>) -> Void) {
        self.add(.scan(scan), .scan(completion))
    }

    private func add(_ content: ReadRequest.Content, _ pending: Pending) {
        let ticket = self.ticket(pending)
        self.beginTurn()
        self.reads.append(
            ReadRequest(
                content: content, submittedAt: MonotonicClock.nanoseconds(), ticket: ticket, mailbox: self.mailbox))
    }

    // MARK: - Writes

    func set(
        _ key: UnsafeRawBufferPointer, to value: UnsafeRawBufferPointer, expiring expiry: Expiry,
        if condition: WriteCondition, deadline: UInt64?, once idempotencyKey: IdempotencyKey?,
        for write: any PendingWrite
    ) {
        let key = unsafe Array(key)
        let operation = unsafe Transaction.Operation.set(key: key, value: Array(value), expiry)
        self.add(.set, condition.check(of: key), [operation], deadline, idempotencyKey, .write(write, nil))
    }

    func delete(
        _ key: UnsafeRawBufferPointer, if condition: WriteCondition, deadline: UInt64?,
        once idempotencyKey: IdempotencyKey?, for write: any PendingWrite
    ) {
        let key = unsafe Array(key)
        self.add(
            .delete, condition.check(of: key), [.delete(key: key)], deadline, idempotencyKey, .write(write, nil))
    }

    func perform(
        _ transaction: Transaction, deadline: UInt64?, once idempotencyKey: IdempotencyKey?,
        for write: any PendingWrite
    ) {
        self.add(
            .transaction, transaction.checks, transaction.operations, deadline, idempotencyKey,
            .write(write, transaction))
    }

    private func add(
        _ form: WriteRequest.Form, _ checks: [Transaction.Check], _ operations: [Transaction.Operation],
        _ deadline: UInt64?, _ idempotencyKey: IdempotencyKey?, _ pending: Pending
    ) {
        let ticket = self.ticket(pending)
        self.beginTurn()
        self.writes.append(
            WriteRequest(
                form: form, checks: checks, operations: operations, idempotencyKey: idempotencyKey,
                submittedAt: MonotonicClock.nanoseconds(), deadline: deadline ?? .max, ticket: ticket,
                mailbox: self.mailbox))
    }

    // MARK: - Turns

    private func ticket(_ pending: Pending) -> UInt32 {
        if let free = self.freeTickets.popLast() {
            self.pending[Int(free)] = pending
            return free
        }
        self.pending.append(pending)
        return UInt32(self.pending.count - 1)
    }

    private func beginTurn() {
        if self.writes.isEmpty, self.reads.isEmpty { self.endOfTurn() }
    }

    func flush() {
        let (writes, reads) = (self.writes, self.reads)
        self.writes = []
        self.reads = []
        if !writes.isEmpty {
            do throws(WaitingQueue<WriteRequest>.Refusal) {
                try self.writer.queue.add(writes, bytes: writes.reduce(0) { $0 + $1.bytes })
            } catch {
                // A completion can begin the next request.
                for write in writes {
                    let outcome = WriteOutcome.refused(error == .full ? .overloaded : .closed)
                    self.complete(write.ticket, .write(.init(outcome: outcome), .none))
                }
            }
        }
        if !reads.isEmpty {
            do throws(WaitingQueue<ReadRequest>.Refusal) {
                try self.reader.queue.add(reads, bytes: reads.reduce(0) { $0 + $1.bytes })
            } catch {
                let failure = StoreFailure.unavailable(
                    error == .full ? "too many reads wait for it" : "the service is stopping")
                for read in reads { self.complete(read.ticket, read.refusal(failure)) }
            }
        }
    }

    func deliverCompletions() {
        for (ticket, answer) in self.mailbox.take() { self.complete(ticket, answer) }
    }

    private func complete(_ ticket: UInt32, _ answer: AnswerMailbox.Answer) {
        guard let pending = self.pending[Int(ticket)].take() else {
            preconditionFailure("a request was completed twice")
        }
        self.freeTickets.append(ticket)
        switch (pending, answer) {
        case (.write(let write, let transaction), .write(let result, let decided)):
            transaction?.outcome = decided
            write.writeCompleted(result)
        case (.read(let read), .read(let result)): Self.complete(read, result)
        case (.several(let completion), .several(let result)):
            completion(
                result.map { found in
                    { body in
                        for value in found.values { Self.pass(value, to: body) }
                        return found.revision
                    }
                })
        case (.scan(let completion), .scan(let result)):
            completion(result.map { page in { body in Self.pass(page, to: body) } })
        default: preconditionFailure("a request was answered as another kind")
        }
    }

    private static func complete(_ read: any PendingRead, _ result: Result<StoredValue?, StoreFailure>) {
        switch result {
        case .success(let value): Self.pass(value) { read.readCompleted($0) }
        case .failure(let failure): read.readCompleted(.failed(failure))
        }
    }

    private static func pass(_ value: StoredValue?, to body: (ReadOutcome) -> Void) {
        guard let value else { return body(.missing) }
        unsafe value.value.withUnsafeBytes { bytes in
            unsafe body(.value(bytes, revision: value.revision, expiresAt: value.expiresAt))
        }
    }

    private static func pass(_ page: ScanPage, to body: (LiveRecord) -> Bool) -> (revision: UInt64, count: Int?) {
        for (key, value) in page.records {
            let goesOn = unsafe key.withUnsafeBytes { key in
                unsafe value.value.withUnsafeBytes { bytes in
                    unsafe body(
                        LiveRecord(revision: value.revision, key: key, value: bytes, expiresAt: value.expiresAt))
                }
            }
            if !goesOn { break }
        }
        return (page.revision, page.count)
    }
}
