import SystemSupport
import TransactionLog

/// One event loop's access to the store in this process. Reads complete immediately, from the index; writes are
/// collected until ``flush()`` and complete when they are durable.
final class EmbeddedSession: StorageSession {
    private let reader: Index.Reader
    private let mailbox: CompletionMailbox
    private let submit: ([WriteCommand], Int) -> CommitRefusal?
    private let endOfTurn: () -> Void
    private var outbox: [WriteCommand] = []
    private var outboxBytes = 0
    private var pending: [((WriteResult) -> Void)?] = []
    private var freeTickets: [Int] = []
    private var completions: [CompletionMailbox.Completion] = []

    init(
        reader: Index.Reader, mailbox: CompletionMailbox, endOfTurn: @escaping () -> Void,
        submit: @escaping ([WriteCommand], Int) -> CommitRefusal?
    ) {
        self.reader = reader
        self.mailbox = mailbox
        self.endOfTurn = endOfTurn
        self.submit = submit
    }

    func get(_ key: UnsafeRawBufferPointer, _ completion: (ReadOutcome) -> Void) {
        unsafe self.reader.withEntry(key) { entry in
            if let entry {
                unsafe completion(.value(entry.value, revision: entry.revision))
            } else {
                completion(.missing)
            }
        }
    }

    func set(
        _ key: UnsafeRawBufferPointer, to value: UnsafeRawBufferPointer, deadline: UInt64?,
        _ completion: @escaping (WriteResult) -> Void
    ) {
        guard let entry = unsafe Entry.makeIfPossible(key: key, value: value) else {
            return completion(.outOfMemory)
        }
        self.enqueue(.set(entry), deadline, completion)
    }

    func delete(_ key: [UInt8], deadline: UInt64?, _ completion: @escaping (WriteResult) -> Void) {
        self.enqueue(.delete(key: key), deadline, completion)
    }

    private func enqueue(
        _ action: WriteCommand.Action, _ deadline: UInt64?, _ completion: @escaping (WriteResult) -> Void
    ) {
        let ticket: Int
        if let free = self.freeTickets.popLast() {
            ticket = free
            self.pending[ticket] = completion
        } else {
            ticket = self.pending.count
            self.pending.append(completion)
        }
        let command = WriteCommand(
            action: action, ticket: ticket, mailbox: self.mailbox, submittedAt: MonotonicClock.nanoseconds(),
            deadline: deadline)
        self.outbox.append(command)
        self.outboxBytes += command.keyCount + command.valueCount
        if self.outbox.count == 1 { self.endOfTurn() }
    }

    func flush() {
        if self.outbox.isEmpty { return }
        let commands = self.outbox
        let bytes = self.outboxBytes
        self.outbox.removeAll(keepingCapacity: true)
        self.outboxBytes = 0
        guard let refusal = self.submit(commands, bytes) else { return }
        for command in commands {
            if case .set(let entry) = command.action { entry.free() }
            self.complete(command.ticket, WriteResult(outcome: .refused(refusal), timings: WriteTimings()))
        }
    }

    func deliverCompletions() {
        self.mailbox.take(into: &self.completions)
        let completions = self.completions
        self.completions.removeAll(keepingCapacity: true)
        for completion in completions { self.complete(completion.ticket, completion.result) }
    }

    private func complete(_ ticket: Int, _ result: WriteResult) {
        guard let completion = self.pending[ticket] else { preconditionFailure("a write was completed twice") }
        self.pending[ticket] = nil
        self.freeTickets.append(ticket)
        completion(result)
    }
}
