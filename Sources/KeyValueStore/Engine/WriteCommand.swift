/// A write on its way to the writer thread. Copied without a reference count: whoever has the command owns its entry.
struct WriteCommand: Sendable {
    /// The entry for the index; for a delete only its key counts.
    let entry: Entry
    /// Monotonic nanoseconds.
    let submittedAt: UInt64
    /// Monotonic nanoseconds after which it is refused instead of staged; `.max` for none.
    let deadline: UInt64
    /// Identifies the write in its session.
    let ticket: UInt32
    /// The number of the session's ``CompletionMailbox``.
    let mailbox: UInt16
    let isDelete: Bool
    let condition: WriteCondition

    var keyAndValueBytes: Int { self.entry.keyCount + self.entry.valueCount }
}
