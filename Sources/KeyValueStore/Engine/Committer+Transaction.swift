import LogFormat

/// Transactions, against the staged index.
extension Committer {
    /// Maximum number of bytes that the transaction adds to a frame's payload, without what expires before it, but with
    /// the removal of what expires because of it.
    static func payloadBytes(of transaction: Transaction) -> Int {
        transaction.operations.reduce(FrameBuilder.transactionHeaderBytes) { sum, operation in
            switch operation {
            case .get: sum
            case .delete(let key): sum + FrameBuilder.operationBytes(key: key.count, value: 0)
            case .set(let key, let value, let expiry):
                sum
                    + FrameBuilder.operationBytes(
                        key: key.count, value: value.count, hasExpiry: expiry != .never)
                    + (expiry == .never ? 0 : FrameBuilder.singleOperationBytes(key: key.count, value: 0))
            case .increment(let key, _, _):
                sum + FrameBuilder.operationBytes(key: key.count, value: Self.maximumNumberBytes, hasExpiry: true)
                    + FrameBuilder.singleOperationBytes(key: key.count, value: 0)
            }
        }
    }

    /// Those of the smallest signed 64-bit number in decimal text.
    private static let maximumNumberBytes = 20

    /// - Returns: nil if there is no memory for it; then nothing is staged.
    func stage(
        _ transaction: Transaction, _ command: WriteCommand, now: UInt64, into frame: inout FrameBuilder
    ) -> Transaction.Outcome? {
        let failed = transaction.checks.indices.compactMap { place -> (check: Int, current: UInt64?)? in
            let check = transaction.checks[place]
            let entry = self.staged(check.key)
            return check.condition.isMet(by: entry) ? nil : (place, entry?.revision)
        }
        if !failed.isEmpty { return .checksFailed(failed) }
        if case .increment(let key, let delta, let expiry) = transaction.operations[0] {
            return self.increment(key, by: delta, expiry, command, now: now, into: &frame)
        }
        guard self.admits(transaction) else { return nil }
        var results: [Transaction.Result] = []
        var hasBegun = false
        for operation in transaction.operations {
            results.append(self.stage(operation, now: now, &hasBegun, into: &frame))
        }
        if hasBegun {
            self.stageReceipt(.transaction(results.map(\.withoutValue)), of: command, into: &frame)
            self.endTransaction(&frame)
        }
        return .committed(revision: frame.nextRevision - 1, results)
    }

    private func stage(
        _ operation: Transaction.Operation, now: UInt64, _ hasBegun: inout Bool, into frame: inout FrameBuilder
    ) -> Transaction.Result {
        switch operation {
        case .get(let key):
            guard let entry = self.staged(key) else { return .missing }
            return unsafe .value(Array(entry.value), revision: entry.revision, expiresAt: entry.expiresAt)
        case .delete(let key):
            guard self.staged(key) != nil else { return .missing }
            self.begin(&hasBegun, &frame)
            unsafe key.withUnsafeBytes { unsafe self.stageDelete($0, into: &frame) }
            return .deleted
        case .set(let key, let value, let expiry):
            self.begin(&hasBegun, &frame)
            let expiresAt = Expiry.time(expiry.encoded, now: now)
            self.stageSet(Entry.make(key: key, value: value, expiresAt: expiresAt), into: &frame)
            return .set(expiresAt: expiresAt)
        case .increment: preconditionFailure("an increment is alone in its transaction")
        }
    }

    private func begin(_ hasBegun: inout Bool, _ frame: inout FrameBuilder) {
        if hasBegun { return }
        hasBegun = true
        frame.beginTransaction()
    }

    private func increment(
        _ key: [UInt8], by delta: Int64, _ expiry: Expiry, _ command: WriteCommand, now: UInt64,
        into frame: inout FrameBuilder
    ) -> Transaction.Outcome? {
        let entry = self.staged(key)
        var number: Int64 = 0
        if let entry {
            guard let stored = unsafe Int64(decimal: entry.value) else { return .notANumber }
            number = stored
        }
        let (sum, overflows) = number.addingReportingOverflow(delta)
        if overflows { return .overflow }
        let expiresAt = expiry == .never ? entry?.expiresAt ?? 0 : Expiry.time(expiry.encoded, now: now)
        let new = Entry.make(key: key, value: Array(String(sum).utf8), expiresAt: expiresAt)
        guard self.admits(new.allocatedBytes, replacing: entry?.allocatedBytes ?? 0) else {
            new.free()
            return nil
        }
        frame.beginTransaction()
        self.stageSet(new, into: &frame)
        let results = [Transaction.Result.number(sum, expiresAt: expiresAt)]
        self.stageReceipt(.transaction(results), of: command, into: &frame)
        return .committed(revision: self.endTransaction(&frame), results)
    }

    private func admits(_ transaction: Transaction) -> Bool {
        var (added, replaced) = (0, 0)
        for case .set(let key, let value, let expiry) in transaction.operations {
            added += Entry.allocatedBytes(key: key.count, value: value.count, hasExpiry: expiry != .never)
            replaced += self.staged(key)?.allocatedBytes ?? 0
        }
        return added == 0 || self.admits(added, replacing: replaced)
    }

    private func staged(_ key: [UInt8]) -> Entry? {
        unsafe key.withUnsafeBytes { unsafe self.index.staged($0) }
    }
}

extension Transaction.Check.Condition {
    fileprivate func isMet(by entry: Entry?) -> Bool {
        self.isMet(revision: entry?.revision) { value in entry.map { unsafe $0.value.elementsEqual(value) } ?? false }
    }

    /// - Parameters:
    ///   - revision: that of the key; nil if it does not exist.
    ///   - hasValue: whether the key has this value.
    public func isMet(revision: UInt64?, hasValue: ([UInt8]) -> Bool) -> Bool {
        switch self {
        case .absent: revision == nil
        case .present: revision != nil
        case .revision(let wanted): revision == wanted
        case .value(let value): hasValue(value)
        }
    }
}

extension Int64 {
    /// From decimal digits, with a `-` before a negative one, as ``Swift/Int64`` is written: no `+`, no blanks, no
    /// leading zeros.
    public init?(decimal bytes: UnsafeRawBufferPointer) {
        let text = unsafe String(decoding: bytes, as: UTF8.self)
        guard let number = Int64(text), String(number) == text else { return nil }
        self = number
    }
}
