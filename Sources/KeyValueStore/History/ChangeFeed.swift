public import LogFormat

/// Fills a history with what another store has committed. One thread or task at a time, which may be another one each time.
///
/// For each change ``record(_:_:previous:)``, after the last one of a transaction ``endTransaction()``, and
/// ``publish(revision:)`` when there is nothing more for the time being.
public final class ChangeFeed: @unchecked Sendable {
    // `@unchecked`: has one owner at a time.

    public let history: ChangeHistory

    /// - Parameters:
    ///   - limitBytes: see ``ChangeHistory/init(limitBytes:)``.
    ///   - revision: the store's newest one, behind which the history begins.
    public init(limitBytes: Int, after revision: UInt64) {
        self.history = ChangeHistory(limitBytes: limitBytes)
        self.history.endReplay(lastRevision: revision)
    }

    /// - Parameters:
    ///   - record: with the key, and the value that it got; of a removal with its revision, and no value.
    ///   - previous: the value that the key had, and its revision; nil if it did not exist.
    public func record(
        _ kind: CommittedChange.Kind, _ record: LiveRecord, previous: (value: UnsafeRawBufferPointer, revision: UInt64)?
    ) {
        unsafe self.history.append(
            kind, key: record.key, value: record.value, revision: record.revision, expiresAt: record.expiresAt)
        if let previous = unsafe previous {
            unsafe self.history.replaces(previous.value, revision: previous.revision)
        }
    }

    public func endTransaction() { self.history.endTransaction() }

    /// Everything recorded can be read from now on, and everything up to this revision has been recorded.
    public func publish(revision: UInt64) { self.history.publish(revision: max(revision, self.history.newestRevision)) }

    /// What was committed up to this revision is not known, and will not be.
    public func lose(upTo revision: UInt64) {
        self.history.forget(upTo: revision)
        self.history.advance(to: revision)
    }

    /// Nothing recorded since the last publication counts: it will be recorded again.
    public func rollBack() { self.history.rollBack() }
}
