import Glibc
import SimulatedStorage
import SystemSupport
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

/// A log with its writer at work and a dictionary behind it.
struct OpenLog {
    let log: TransactionLog<DictionaryClient>
    let client: DictionaryClient
    /// What the start read, where it keeps that: without a snapshot.
    let replayed: [Transaction]

    init(
        _ fileSystem: any FileSystem, _ configuration: LogConfiguration = testConfiguration(),
        observer: (any LogObserver)? = nil, keepsHistory: Bool = true,
        onCommit: @escaping @Sendable (CommitTimings) -> Void = { _ in },
        onReplayed: @escaping @Sendable () -> Void = {}
    ) throws(LogError) {
        let client = DictionaryClient(onCommit: onCommit, onReplayed: onReplayed)
        var history = ReplayedHistory()
        self.client = client
        self.log = try TransactionLog(
            opening: configuration, fileSystem: fileSystem, client: client, observer: observer
        ) { revision, operation in
            if keepsHistory { history.apply(revision, operation) }
            return client.replay(revision, Change(operation))
        }
        self.replayed = history.transactions
    }

    var report: RecoveryReport { self.log.report }

    /// Submits all at once; each is answered, also when the queue refuses.
    @discardableResult
    func submit(_ transactions: [Transaction]) -> [Ticket] {
        let tickets = transactions.map { Ticket($0) }
        let bytes = transactions.reduce(0) { $0 + $1.payloadBytes }
        if let refusal = self.log.submit(tickets, bytes: bytes) {
            for ticket in tickets { ticket.answer(.refused(refusal)) }
        }
        return tickets
    }

    /// Submits one and waits for what becomes of it.
    @discardableResult
    func commit(_ transaction: Transaction) -> Outcome? { self.submit([transaction])[0].wait() }

    /// - Returns: false when there was no space for further segments within 30 seconds.
    func waitForSpace() -> Bool { self.wait { $0.diskFull == nil } }

    /// - Returns: false when the files for the next segments were not ready within 30 seconds.
    func waitForPrepared() -> Bool { self.wait { _ in self.log.preparedSegments == 2 } }

    /// - Returns: false when it was not so within 30 seconds.
    func wait(until condition: (LogStatistics) -> Bool) -> Bool {
        Poll.holds { condition(self.log.statistics) }
    }
}
