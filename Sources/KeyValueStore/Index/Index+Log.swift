public import LogFormat

/// The index as a log builds it, and as a snapshot of the log wants it.
extension Index {
    /// Stages what an operation of a log, or an entry of its snapshot, says. To be called in the order of the log.
    /// - Returns: the record that it replaces or removes.
    public func replay(_ revision: UInt64, _ operation: LoggedOperation) -> ReplacedRecord? {
        if operation.place == .snapshot { self.history?.followsSnapshot() }
        let history = operation.place == .snapshot ? nil : self.history
        defer { if operation.place == .endOfTransaction { history?.replayedTransaction() } }
        switch operation.kind {
        case .set:
            let entry = unsafe Entry.make(
                key: operation.key, value: operation.value, expiresAt: operation.expiresAt)
            entry.revision = revision
            history?.set(entry)
            return self.set(entry)
        case .delete:
            unsafe history?.delete(operation.key, revision: revision, isExpiry: operation.isExpiry)
            return unsafe self.remove(operation.key)
        case .receipt: return nil
        }
    }

    /// Makes visible what was replayed.
    public func finishReplay(lastRevision: UInt64) {
        self.publish(revision: lastRevision)
        self.history?.endReplay(lastRevision: lastRevision)
    }
}

extension Index.Reader {
    /// Gives the records in the order of their keys from behind `key` on (nil: from the first one), until `body` says
    /// false.
    /// - Returns: whether the last key was reached.
    public func forEachRecord(after key: [UInt8]?, _ body: (LiveRecord) -> Bool) -> Bool {
        // The first key that is not before this one is the next one: there is no key between them.
        let start = key.map { $0 + [0] } ?? []
        var wantsMore = true
        unsafe start.withUnsafeBytes { start in
            unsafe self.walk(from: start) { entry in
                wantsMore = body(LiveRecord(entry))
                return wantsMore
            }
        }
        return wantsMore
    }
}

extension LiveRecord {
    init(_ entry: Entry) {
        unsafe self.init(
            revision: entry.revision, key: entry.key, value: entry.value, expiresAt: entry.expiresAt)
    }
}
