/// A write on its way to the writer thread. Copied without a reference count: whoever has the command owns its entry.
struct WriteCommand: Sendable {
    @safe enum Content {
        /// The entry for the index. Its expiry time is an ``Expiry/encoded``.
        case set(Entry)
        /// An entry of which only the key counts.
        case delete(Entry)
        /// The session holds it until the command has been answered.
        case transaction(Unmanaged<Transaction>)
    }

    let content: Content
    /// Monotonic nanoseconds.
    let submittedAt: UInt64
    /// Monotonic nanoseconds after which it is refused instead of staged; `.max` for none.
    let deadline: UInt64
    /// Identifies the write in its session.
    let ticket: UInt32
    /// The number of the session's ``CompletionMailbox``.
    let mailbox: UInt16
    /// Of a set or delete.
    let condition: WriteCondition

    var keyAndValueBytes: Int {
        switch self.content {
        case .set(let entry), .delete(let entry): entry.keyCount + entry.valueCount
        case .transaction(let transaction): unsafe transaction._withUnsafeGuaranteedRef { $0.keyAndValueBytes }
        }
    }

    /// For a command that will not be staged.
    func free() {
        switch self.content {
        case .set(let entry), .delete(let entry): entry.free()
        case .transaction: break
        }
    }
}
