import Glibc
import LogFormat
import Synchronization

/// Recording, on the thread that stages changes: that of the start during replay, then the log's writer thread.
///
/// For each change ``set(_:)`` or ``delete(_:revision:isExpiry:)``, and ``replaces(_:)`` if the key had a
/// value; after the last change of a transaction ``endTransaction()``; for each batch ``publish(revision:)`` or
/// ``rollBack()``.
extension ChangeHistory {
    @safe struct Recording {
        /// The block that is written, after those that the batch has filled and begun.
        var blocks: [HistoryBlock] = []
        /// The bytes of the last of them, and how many there are: to be had without a look at the block.
        var base: UnsafeMutableRawPointer?
        var byteCount = 0
        /// The end of what is written to it, and of its transactions, and the revision of the last of those.
        var tail = 0
        var end = 0
        var stagedRevision: UInt64 = 0
        /// Where the open transaction and its open change begin.
        var transaction: Int?
        var change: Int?
        var changes: UInt32 = 0
        var revision: UInt64 = 0
        /// Whether there was no memory for a change of the batch.
        var isLost = false
        /// Whether the changes are those of a log that is replayed.
        var isReplay = false
        /// While the log is replayed: whether a snapshot stands for its beginning.
        var followsSnapshot = false
        /// The newest change whose previous value the replay did not know.
        var unknownPrevious: UInt64 = 0
    }

    /// A key gets a value. The entry has its revision, and the index has not got it yet.
    func set(_ entry: Entry) {
        unsafe self.append(
            .set, key: entry.key, value: entry.value, revision: entry.revision, expiresAt: entry.expiresAt)
    }

    /// A key is removed.
    /// - Parameter isExpiry: whether the store itself removes it, because its time has come.
    func delete(_ key: UnsafeRawBufferPointer, revision: UInt64, isExpiry: Bool = false) {
        unsafe self.append(
            isExpiry ? .expiry : .delete, key: key, value: UnsafeRawBufferPointer(start: nil, count: 0),
            revision: revision, expiresAt: 0)
    }

    /// The open change replaces or removes this entry. Nothing happens without one.
    func replaces(_ old: Entry) {
        unsafe self.replaces(old.value, revision: old.revision)
    }

    /// The open change replaces or removes this value, of this revision.
    func replaces(_ value: UnsafeRawBufferPointer, revision: UInt64) {
        guard self.recording.change != nil else { return }
        // There is room for all of it.
        guard let base = unsafe self.base(withRoomFor: value.count + 8), let change = self.recording.change else {
            return
        }
        unsafe base.storeBytes(of: revision, toByteOffset: change + 16, as: UInt64.self)
        unsafe base.storeBytes(of: UInt32(value.count), toByteOffset: change + 28, as: UInt32.self)
        if let bytes = value.baseAddress { unsafe memcpy(base + self.recording.tail, bytes, value.count) }
        self.recording.tail += value.count
    }

    func endTransaction() {
        self.endChange()
        guard let start = self.recording.transaction.take(), let base = unsafe self.recording.base else { return }
        let sizes = UInt64(self.recording.changes) << 32 | UInt64(self.recording.tail - start)
        unsafe base.storeBytes(of: sizes, toByteOffset: start, as: UInt64.self)
        unsafe base.storeBytes(of: self.recording.revision, toByteOffset: start + 8, as: UInt64.self)
        self.recording.end = self.recording.tail
        self.recording.stagedRevision = self.recording.revision
    }

    /// Everything recorded can be read from now on.
    /// - Parameter revision: the newest one of the store.
    func publish(revision: UInt64) {
        precondition(self.recording.transaction == nil, "a transaction is still open")
        self.settle()
        if self.recording.isLost {
            self.forget(upTo: revision)
        } else {
            for block in self.recording.blocks { block.publish() }
            if self.recording.blocks.last?.isListed == false { self.list() }
        }
        self.advance(to: revision)
    }

    /// Nothing recorded since the last publication has happened.
    func rollBack() {
        self.recording.blocks.removeAll { !$0.isListed }
        self.recording.blocks.first?.rollBack()
        self.use(self.recording.blocks.first, tail: self.recording.blocks.first?.end ?? 0)
        self.recording.isLost = false
        self.recording.transaction = nil
        self.recording.change = nil
    }

    // MARK: - Replay

    /// A history that first takes the changes of a log that is read.
    convenience init(replayingInto limitBytes: Int) {
        self.init(limitBytes: limitBytes)
        self.recording.isReplay = true
    }

    /// The state begins with a snapshot, which says nothing of the changes that led to it.
    func followsSnapshot() { self.recording.followsSnapshot = true }

    /// The last change of a transaction was read.
    func replayedTransaction() {
        self.endTransaction()
        // Nobody reads yet; only the memory must stay within its limit.
        if self.recording.blocks.count > 1 { self.publish(revision: self.recording.revision) }
    }

    /// The log ends with this revision, and what is recorded from now on is staged.
    func endReplay(lastRevision: UInt64) {
        self.recording.isReplay = false
        self.publish(revision: lastRevision)
        let unknown = self.recording.unknownPrevious
        self.shared.withLock { shared in
            if shared.blocks.isEmpty { shared.floor = lastRevision }
            shared.previousFloor = unknown
        }
    }

    // MARK: -

    func append(
        _ kind: CommittedChange.Kind, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, revision: UInt64,
        expiresAt: UInt64
    ) {
        self.endChange()
        self.recording.revision = revision
        let room = ChangeRecord.transactionHeaderBytes + ChangeRecord.headerBytes + key.count + value.count + 8
        guard let base = unsafe self.base(withRoomFor: room) else { return }
        if self.recording.transaction == nil {
            self.recording.transaction = self.recording.tail
            self.recording.changes = 0
            self.recording.tail += ChangeRecord.transactionHeaderBytes
        }
        let change = self.recording.tail
        // There is room for all of it.
        let target = unsafe base + change
        unsafe target.storeBytes(of: revision, as: UInt64.self)
        unsafe target.storeBytes(of: expiresAt, toByteOffset: 8, as: UInt64.self)
        unsafe target.storeBytes(of: 0, toByteOffset: 16, as: UInt64.self)
        unsafe target.storeBytes(of: UInt64(value.count), toByteOffset: 24, as: UInt64.self)
        let keyAndKind = UInt64(kind.rawValue) << 32 | UInt64(key.count)
        unsafe target.storeBytes(of: keyAndKind, toByteOffset: 32, as: UInt64.self)
        let end = ChangeRecord.headerBytes + key.count
        if let bytes = key.baseAddress { unsafe memcpy(target + ChangeRecord.headerBytes, bytes, key.count) }
        if let bytes = value.baseAddress { unsafe memcpy(target + end, bytes, value.count) }
        self.recording.change = change
        self.recording.changes += 1
        self.recording.tail = change + end + value.count
    }

    private func endChange() {
        guard let change = self.recording.change.take() else { return }
        // Each reservation leaves room for it.
        self.recording.tail = ChangeRecord.padded(self.recording.tail)
        if !self.recording.isReplay { return }
        guard let base = unsafe self.recording.base else { return }
        let previous = unsafe base.load(fromByteOffset: change + 16, as: UInt64.self)
        // A snapshot does not contain what was changed after it began, nor always what an earlier one had.
        if previous == 0 && self.recording.followsSnapshot || previous >= self.recording.revision {
            self.recording.unknownPrevious = self.recording.revision
        }
    }

    /// The bytes of the block to write to, with this much room behind the tail; nil if there is no memory.
    private func base(withRoomFor count: Int) -> UnsafeMutableRawPointer? {
        if self.recording.byteCount - self.recording.tail >= count { return unsafe self.recording.base }
        return unsafe self.nextBlock(withRoomFor: count)?.bytes.baseAddress
    }

    /// The next block, to which the open transaction moves.
    private func nextBlock(withRoomFor count: Int) -> HistoryBlock? {
        if self.recording.isLost { return nil }
        self.settle()
        let last = self.recording.blocks.last
        let start = self.recording.transaction ?? self.recording.tail
        let open = self.recording.tail - start
        // A block that contained nothing else is not needed.
        let isReplaced = last?.end == 0
        let number = last.map { isReplaced ? $0.number : $0.number + 1 } ?? self.shared.withLock { $0.nextNumber }
        var first = self.recording.revision
        // A snapshot can be empty.
        if last == nil, self.recording.isReplay, first > 1 { self.recording.followsSnapshot = true }
        if open > 0, let last {
            let firstChange = start + ChangeRecord.transactionHeaderBytes
            first = unsafe last.bytes.load(fromByteOffset: firstChange, as: UInt64.self)
        }
        // A large transaction of several changes may get more of them.
        let needed = open + count
        let byteCount = max(self.blockBytes, open > self.blockBytes ? needed + needed / 2 : needed)
        guard let block = HistoryBlock(number: number, firstRevision: first, byteCount: byteCount) else {
            self.recording.isLost = true
            self.recording.transaction = nil
            self.recording.change = nil
            return nil
        }
        if open > 0, let last {
            unsafe block.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: last.bytes[start..<start + open]))
            self.recording.transaction = 0
            if let change = self.recording.change { self.recording.change = change - start }
        }
        if isReplaced { self.recording.blocks.removeLast() }
        self.recording.blocks.append(block)
        self.use(block, tail: open)
        return block
    }

    /// Writes to this block from now on; nil: there is none.
    private func use(_ block: HistoryBlock?, tail: Int) {
        unsafe self.recording.base = block?.bytes.baseAddress
        self.recording.byteCount = block?.byteCount ?? 0
        self.recording.tail = tail
        self.recording.end = block?.end ?? 0
        self.recording.stagedRevision = block?.stagedRevision ?? 0
    }

    /// Notes in the block that is written what is staged in it.
    private func settle() {
        guard let block = self.recording.blocks.last else { return }
        block.end = self.recording.end
        block.stagedRevision = self.recording.stagedRevision
    }

    /// Adds the blocks that the batch has begun, and removes the oldest ones if there are too many.
    private func list() {
        self.shared.withLock { shared in
            for block in self.recording.blocks where !block.isListed { shared.add(block) }
            while shared.bytes > self.limitBytes, shared.blocks.count > 1 { shared.dropOldest() }
        }
        if let last = self.recording.blocks.last { self.noteNewest(last) }
        self.recording.blocks.removeFirst(self.recording.blocks.count - 1)
    }

    func forget(upTo revision: UInt64) {
        self.shared.withLock { shared in
            if let last = self.recording.blocks.last { shared.nextNumber = last.number + 1 }
            shared.blocks = []
            shared.bytes = 0
            shared.floor = revision
        }
        self.recording.blocks = []
        self.use(nil, tail: 0)
        self.recording.isLost = false
    }
}

extension ChangeHistory.Shared {
    fileprivate mutating func add(_ block: HistoryBlock) {
        if self.blocks.isEmpty { self.floor = max(self.floor, block.firstRevision - 1) }
        self.blocks.append(block)
        self.bytes += block.byteCount
        self.nextNumber = block.number + 1
        block.isListed = true
    }

    fileprivate mutating func dropOldest() {
        let oldest = self.blocks.removeFirst()
        self.floor = oldest.publishedRevision
        self.bytes -= oldest.byteCount
    }
}
