import Synchronization

/// Reading, on any thread.
extension ChangeHistory {
    /// A place between two transactions.
    public struct Position: Sendable, Equatable {
        var block: UInt64
        var offset: Int
        /// All changes up to this revision are before it.
        public internal(set) var revision: UInt64
    }

    public enum Start: Sendable, Equatable {
        case at(Position)
        /// Changes from there on are not here any more; `oldest` is the first revision after which they are.
        case compacted(oldest: UInt64)
        /// Nothing has this revision yet.
        case future(newest: UInt64)
    }

    public enum Progress: Sendable, Equatable {
        /// The body wanted no more.
        case more
        /// There is nothing more that is published, or nothing up to the given revision.
        case end
        /// What follows the position is not here any more.
        case lost
    }

    /// The place of the first change after `revision`. If that is within a transaction, the place is before all of it.
    /// - Parameter wantsPrevious: whether every change must have its previous value, which the replay does not know of all.
    public func position(after revision: UInt64, wantsPrevious: Bool = false) -> Start {
        // Read first: what is published with it is in the blocks.
        let newest = self.newestRevision
        if revision > newest { return .future(newest: newest) }
        return self.shared.withLock { shared in
            let floor = wantsPrevious ? max(shared.floor, shared.previousFloor) : shared.floor
            if revision < floor { return .compacted(oldest: floor) }
            guard let index = shared.blocks.lastIndex(where: { $0.firstRevision <= revision + 1 }) else {
                let number = shared.blocks.first?.number ?? shared.nextNumber
                return .at(Position(block: number, offset: 0, revision: revision))
            }
            let block = shared.blocks[index]
            return .at(Position(block: block.number, offset: block.offset(after: revision), revision: revision))
        }
    }

    /// The place behind all that is published.
    public var end: Position {
        while true {
            // Between the two the newest revision can go out of the history.
            if case .at(let position) = self.position(after: self.newestRevision) { return position }
        }
    }

    /// Calls `body` with the transactions from `position` on, until it returns false, and moves the position behind the
    /// last one of them.
    /// - Parameter last: no transaction that ends after this revision.
    public func read(
        _ position: inout Position, upTo last: UInt64 = .max, _ body: (CommittedTransaction) -> Bool
    ) -> Progress {
        while true {
            // Read first: what is published with it is in the blocks.
            let newest = self.newestRevision
            switch self.block(at: &position) {
            case .lost: return .lost
            case .missing:
                position.revision = max(position.revision, min(newest, last))
                return .end
            case .found(let block, let isLast):
                let end = block.published.load(ordering: .acquiring)
                while position.offset < end {
                    let transaction = block.transaction(at: position.offset)
                    if transaction.revision > last { return .end }
                    position.offset += transaction.byteCount
                    position.revision = transaction.revision
                    if !body(transaction) { return .more }
                }
                if isLast {
                    // Not every revision has changes here.
                    position.revision = max(position.revision, min(newest, last))
                    return .end
                }
                position.block += 1
                position.offset = 0
            }
        }
    }

    private enum Found {
        case found(HistoryBlock, isLast: Bool)
        /// It does not exist yet.
        case missing
        case lost
    }

    /// The lock is held for the search only: the block stays while it is read.
    private func block(at position: inout Position) -> Found {
        self.shared.withLock { shared in
            guard let first = shared.blocks.first else {
                return position.revision < shared.floor ? .lost : .missing
            }
            if position.block < first.number {
                if position.revision < shared.floor { return .lost }
                // It was behind the last transaction of a block that has gone.
                position.block = first.number
                position.offset = 0
            }
            let index = Int(position.block - first.number)
            if index >= shared.blocks.count { return .missing }
            return .found(shared.blocks[index], isLast: index == shared.blocks.count - 1)
        }
    }
}
