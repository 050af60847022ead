import KeyValueStore

/// A read on its way to etcd.
struct ReadRequest: Sendable {
    enum Content: Sendable {
        case key([UInt8])
        case several([[UInt8]])
        case scan(Scan)
    }

    let content: Content
    /// Monotonic nanoseconds.
    let submittedAt: UInt64
    /// Who waits for it.
    let ticket: UInt32
    let mailbox: AnswerMailbox

    /// An estimate of what it takes while it waits.
    var bytes: Int {
        switch self.content {
        case .key(let key): 64 + key.count
        case .several(let keys): keys.reduce(64) { $0 + 32 + $1.count }
        case .scan: 1_024
        }
    }

    func refusal(_ failure: StoreFailure) -> AnswerMailbox.Answer {
        switch self.content {
        case .key: .read(.failure(failure))
        case .several: .several(.failure(failure))
        case .scan: .scan(.failure(failure))
        }
    }
}

/// What a scan has found.
struct ScanPage: Sendable {
    var records: [(key: [UInt8], value: StoredValue)] = []
    /// Of the state that they are from.
    var revision: UInt64 = 0
    var count: Int?
}
