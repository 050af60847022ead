import LogFormat

/// A write on its way to the writer thread. Copied without a reference count: whoever has the command owns its entry.
@safe struct WriteCommand: @unchecked Sendable {
    // `@unchecked`: the key does not change, and is held by the session.
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
    /// The session holds it until the command has been answered.
    private let key: Unmanaged<IdempotencyKey>?

    init(
        content: Content, submittedAt: UInt64, deadline: UInt64, ticket: UInt32, mailbox: UInt16,
        condition: WriteCondition, idempotencyKey: IdempotencyKey? = nil
    ) {
        self.content = content
        self.submittedAt = submittedAt
        self.deadline = deadline
        self.ticket = ticket
        self.mailbox = mailbox
        self.condition = condition
        unsafe self.key = idempotencyKey.map { unsafe .passUnretained($0) }
    }

    var idempotencyKey: IdempotencyKey? { unsafe self.key?.takeUnretainedValue() }

    /// Bytes that its receipt adds to a frame's payload, at most.
    var receiptBytes: Int {
        guard let key = self.idempotencyKey else { return 0 }
        var results = 0
        if case .transaction(let transaction) = self.content {
            results = unsafe transaction._withUnsafeGuaranteedRef { $0.operations.count }
        }
        return FrameBuilder.operationBytes(key: key.bytes.count, value: Receipt.maximumBytes(results: results))
    }

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
