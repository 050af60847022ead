/// A write on its way to the writer thread.
struct WriteCommand: Sendable {
    enum Action: Sendable {
        /// Contains the entry for the index; the owner of the command owns the entry.
        case set(Entry)
        case delete(key: [UInt8])
    }

    let action: Action
    /// Identifies its completion in the session.
    let ticket: Int
    let mailbox: CompletionMailbox
    /// Monotonic nanoseconds.
    let submittedAt: UInt64
    /// Monotonic nanoseconds after which it is refused instead of staged; nil for none.
    let deadline: UInt64?

    var keyCount: Int {
        switch self.action {
        case .set(let entry): entry.keyCount
        case .delete(let key): key.count
        }
    }

    var valueCount: Int {
        switch self.action {
        case .set(let entry): entry.valueCount
        case .delete: 0
        }
    }
}
