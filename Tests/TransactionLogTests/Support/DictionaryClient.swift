import Dispatch
import SimulatedStorage
import Synchronization

@testable import LogFormat
@testable import TransactionLog

/// What became of one command.
enum Outcome: Equatable, Sendable {
    /// With the revision, 0 when nothing was to be written.
    case committed(UInt64)
    case refused(CommitRefusal)
}

/// A command on its way, and its answer.
final class Ticket: Sendable {
    let transaction: Transaction
    private let outcome = Mutex<Outcome?>(nil)
    private let answered = DispatchSemaphore(value: 0)

    init(_ transaction: Transaction) { self.transaction = transaction }

    func answer(_ outcome: Outcome) {
        self.outcome.withLock { held in
            precondition(held == nil, "a command is answered once")
            held = outcome
        }
        self.answered.signal()
    }

    /// The answer, when there is one by now.
    var current: Outcome? { self.outcome.withLock { $0 } }

    /// Waits for the answer; nil after 30 seconds.
    func wait() -> Outcome? {
        if self.answered.wait(timeout: .now() + .seconds(30)) == .success { self.answered.signal() }
        return self.current
    }
}

/// The smallest store: a dictionary of records and one of receipts. A delete of an absent key alone writes nothing.
final class DictionaryClient: CommitClient {
    typealias Command = Ticket

    struct Record: Equatable, Sendable {
        var value: [UInt8]
        var revision: UInt64
        var expiresAt: UInt64 = 0
    }

    struct Contents: Equatable, Sendable {
        var records: [[UInt8]: Record] = [:]
        /// The value of a receipt is its content.
        var receipts: [[UInt8]: Record] = [:]

        /// - Returns: the record that it replaces or removes.
        @discardableResult
        mutating func apply(_ change: Change, _ revision: UInt64) -> ReplacedRecord? {
            let key = change.key
            if case .receipt(_, let content) = change {
                let receipt = revision > 0 ? Record(value: content, revision: revision) : Self.copied(content)
                if receipt.revision > self.receipts[key]?.revision ?? 0 { self.receipts[key] = receipt }
                return nil
            }
            let old = self.records[key]
            self.records[key] = change.value.map { Record(value: $0, revision: revision, expiresAt: change.expiresAt) }
            return old.map {
                ReplacedRecord(
                    revision: $0.revision, keyCount: key.count, valueCount: $0.value.count,
                    hasExpiry: $0.expiresAt != 0)
            }
        }

        mutating func apply(_ transaction: Transaction, _ revision: UInt64) {
            for change in transaction { self.apply(change, revision) }
        }

        /// Alone in a frame, a receipt has its revision before its content.
        private static func copied(_ content: [UInt8]) -> Record {
            Record(value: Array(content[8...]), revision: content.loadLittleEndian(UInt64.self, at: 0))
        }

        /// As in a frame of receipts.
        static func copy(of receipt: Record) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.appendLittleEndian(receipt.revision)
            return bytes + receipt.value
        }
    }

    private struct State {
        /// What readers see, and what the batch under way has made of it.
        var contents = Contents()
        var stagedContents = Contents()
        var staged: [(ticket: Ticket, revision: UInt64)] = []
        var committed: [Transaction] = []
        var batches: [CommitTimings] = []
    }

    private let state = Mutex(State())
    /// Called on the writer thread before a batch is answered.
    private let onCommit: @Sendable (CommitTimings) -> Void

    /// Called when everything has been replayed, and before any of it is visible.
    private let onReplayed: @Sendable () -> Void

    init(
        onCommit: @escaping @Sendable (CommitTimings) -> Void = { _ in },
        onReplayed: @escaping @Sendable () -> Void = {}
    ) {
        self.onCommit = onCommit
        self.onReplayed = onReplayed
    }

    var contents: Contents { self.state.withLock { $0.contents } }
    var records: [[UInt8]: Record] { self.contents.records }
    var values: [[UInt8]: [UInt8]] { self.records.mapValues(\.value) }
    /// All that was committed since the start, in order.
    var committed: [Transaction] { self.state.withLock { $0.committed } }
    var batches: [CommitTimings] { self.state.withLock { $0.batches } }

    func replay(_ revision: UInt64, _ change: Change) -> ReplacedRecord? {
        self.state.withLock { $0.stagedContents.apply(change, revision) }
    }

    func finishReplay(lastRevision: UInt64) {
        self.onReplayed()
        self.state.withLock { $0.contents = $0.stagedContents }
    }

    func payloadBytes(of command: Ticket) -> Int { command.transaction.payloadBytes }

    func takesSpace(_ command: Ticket) -> Bool {
        command.transaction.contains { $0.value != nil }
    }

    func frameEnd(of commands: ArraySlice<Ticket>, limitBytes: Int) -> (end: Int, bytes: Int) {
        var (end, bytes) = (commands.startIndex, 0)
        while end < commands.endIndex {
            let more = self.payloadBytes(of: commands[end])
            if bytes + more > limitBytes && end > commands.startIndex { break }
            bytes += more
            end += 1
        }
        return (end, bytes)
    }

    func stage(_ commands: ArraySlice<Ticket>, into frame: inout FrameBuilder) {
        for command in commands { self.stage(command, into: &frame) }
    }

    private func stage(_ command: Ticket, into frame: inout FrameBuilder) {
        self.state.withLock { state in
            if case .delete(let key)? = command.transaction.first, command.transaction.count == 1,
                state.stagedContents.records[key] == nil
            {
                state.staged.append((command, 0))
                return
            }
            let revision = frame.nextRevision
            command.transaction.append(to: &frame) { change in
                state.stagedContents.apply(change, revision)
            }
            state.staged.append((command, revision))
        }
    }

    func ownWorkDue() -> UInt64 { .max }
    func writeReceipts(
        upTo revision: UInt64, from position: Int, into frame: inout FrameBuilder, limitBytes: Int
    ) -> Int? {
        let receipts = self.contents.receipts.filter { $0.value.revision <= revision }
            .sorted { $0.value.revision < $1.value.revision }
        for place in receipts.indices.dropFirst(position) {
            if frame.payloadBytes > limitBytes { return place }
            Change.receipt(receipts[place].key, Contents.copy(of: receipts[place].value)).append(to: &frame)
        }
        return nil
    }
    func stageOwnWork(into frame: inout FrameBuilder, limitBytes: Int) {}

    func commit(_ batch: CommitTimings, lastRevision: UInt64) {
        self.onCommit(batch)
        let staged = self.state.withLock { state in
            state.contents = state.stagedContents
            state.committed += state.staged.filter { $0.revision > 0 }.map(\.ticket.transaction)
            state.batches.append(batch)
            defer { state.staged = [] }
            return state.staged
        }
        for (ticket, revision) in staged { ticket.answer(.committed(revision)) }
    }

    func rollBack(_ reason: CommitRefusal) {
        let staged = self.state.withLock { state in
            state.stagedContents = state.contents
            defer { state.staged = [] }
            return state.staged
        }
        for (ticket, _) in staged { ticket.answer(.refused(reason)) }
    }

    func refuse(_ commands: ArraySlice<Ticket>, _ reason: CommitRefusal) {
        for ticket in commands { ticket.answer(.refused(reason)) }
    }

    func forEachLive(after key: [UInt8]?, _ body: (LiveRecord) -> Bool) -> Bool {
        let records = self.records
        let keys = records.keys.filter { candidate in key.map { $0.lexicographicallyPrecedes(candidate) } ?? true }
        for key in keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            let record = records[key]!
            let goesOn = unsafe key.withUnsafeBytes { key in
                unsafe record.value.withUnsafeBytes { value in
                    unsafe body(
                        LiveRecord(
                            revision: record.revision, key: key, value: value, expiresAt: record.expiresAt))
                }
            }
            if !goesOn { return false }
        }
        return true
    }

    /// Live bytes counted anew, by the revision that wrote them.
    var liveBytes: [UInt64: Int] {
        Dictionary(
            self.records.map { key, record in
                (
                    record.revision,
                    LiveRecord.bytes(key: key.count, value: record.value.count, hasExpiry: record.expiresAt != 0)
                )
            }, uniquingKeysWith: +)
    }
}

extension DictionaryClient {
    /// What a committed transaction makes of the records.
    static func apply(_ transaction: Transaction, _ revision: UInt64, _ records: inout [[UInt8]: Record]) {
        var contents = Contents(records: records)
        contents.apply(transaction, revision)
        records = contents.records
    }
}
