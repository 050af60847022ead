import Synchronization

/// The newest committed changes, in memory and bounded, for those who watch the store.
///
/// ```
///   oldest block                                     newest block
///   ├ tx ┬ tx ┬ tx ┤   ├ tx ┬ tx ┬ tx ┤   …   ├ tx ┬ tx ┤ staged, not readable
///                 ▲            ▲                        ▲
///                 position     position                 the writer
/// ```
///
/// The log's writer thread records each change as it is staged, which copies key, value and previous value, and publishes
/// a batch once it is durable and visible. Readers have positions, of any number and without cost here; they read without
/// a lock what is published. If there is no room for a block, the oldest one goes, and a reader that needed it finds out
/// with its next read.
public final class ChangeHistory: @unchecked Sendable {
    // `@unchecked`: the members of `recording` belong to the writer thread, everything else is atomic or in a lock.

    struct Shared {
        /// Oldest first.
        var blocks: [HistoryBlock] = []
        /// The number of the next block.
        var nextNumber: UInt64 = 0
        /// Every change after this revision is here.
        var floor: UInt64 = 0
        /// Every change after this revision has its previous value.
        var previousFloor: UInt64 = 0
        var bytes = 0
    }

    public static let smallestLimitBytes = 1 << 16

    public let limitBytes: Int
    let blockBytes: Int
    let shared = Mutex(Shared())
    /// Of the last published transaction, or of the log if nothing was committed since the start.
    private let newest = Atomic<UInt64>(0)
    /// The number of the newest block.
    private let newestBlock = Atomic<UInt64>(0)
    private let failed = Atomic<Bool>(false)
    private let wakers = Mutex<[Waker]>([])
    private let wakerCount = Atomic<Int>(0)
    /// Confined to the thread that stages changes.
    var recording = Recording()

    /// - Parameter limitBytes: of all blocks together. A transaction that is larger is kept nevertheless, alone.
    public init(limitBytes: Int) {
        self.limitBytes = limitBytes
        self.blockBytes = max(4_096, min(262_144, limitBytes / 16))
    }

    /// The memory that it uses.
    public var bytes: Int { self.shared.withLock { $0.bytes } }

    /// Changes after this revision can be read.
    public var oldestRevision: UInt64 { self.shared.withLock { $0.floor } }

    /// The newest revision that can be read.
    public var newestRevision: UInt64 { self.newest.load(ordering: .sequentiallyConsistent) }

    /// Whether nothing more will be committed, because the log has failed.
    public var hasFailed: Bool { self.failed.load(ordering: .sequentiallyConsistent) }

    // MARK: - Wake-ups

    /// Wakes a reader after a publication, once, if it has asked for that.
    public final class Waker: Sendable {
        private let isArmed = Atomic<Bool>(false)
        /// The block with which it becomes urgent.
        private let urgentBlock = Atomic<UInt64>(.max)
        private let wake: @Sendable () -> Void

        init(_ wake: @escaping @Sendable () -> Void) { self.wake = wake }

        /// Asks for the next wake-up. After that the reader must look once more at what is there.
        public func arm() { self.isArmed.store(true, ordering: .sequentiallyConsistent) }

        /// Asks to be woken before what follows `position` goes out of the history.
        public func armForUrgency(behind position: Position, of history: ChangeHistory) {
            self.urgentBlock.store(position.block + history.urgentBlocks, ordering: .sequentiallyConsistent)
        }

        fileprivate func fire(newestBlock: UInt64) {
            let isUrgent = self.urgentBlock.load(ordering: .relaxed) <= newestBlock
            if isUrgent { self.urgentBlock.store(.max, ordering: .relaxed) }
            if self.isArmed.exchange(false, ordering: .sequentiallyConsistent) || isUrgent { self.wake() }
        }
    }

    /// - Parameter wake: called on the writer thread; must not block.
    public func makeWaker(_ wake: @escaping @Sendable () -> Void) -> Waker {
        let waker = Waker(wake)
        self.wakers.withLock { $0.append(waker) }
        self.wakerCount.add(1, ordering: .sequentiallyConsistent)
        return waker
    }

    /// Writer: what is published so far ends with this revision.
    func advance(to revision: UInt64) {
        self.newest.store(revision, ordering: .sequentiallyConsistent)
        self.wakeAll()
    }

    /// Writer: nothing more will be committed.
    func fail() {
        if self.failed.exchange(true, ordering: .sequentiallyConsistent) { return }
        self.wakeAll()
    }

    private func wakeAll() {
        if self.wakerCount.load(ordering: .sequentiallyConsistent) == 0 { return }
        let newest = self.newestBlock.load(ordering: .relaxed)
        for waker in self.wakers.withLock({ $0 }) { waker.fire(newestBlock: newest) }
    }

    // MARK: - Urgency

    /// Blocks after which a reader should read: a quarter of all.
    private var urgentBlocks: UInt64 { UInt64(max(1, self.limitBytes / self.blockBytes / 4)) }

    /// Whether a reader there should read without delay, because a quarter of the history or more is behind its position.
    public func isUrgent(behind position: Position) -> Bool {
        self.newestBlock.load(ordering: .relaxed) >= position.block + self.urgentBlocks
    }

    /// Writer.
    func noteNewest(_ block: HistoryBlock) { self.newestBlock.store(block.number, ordering: .relaxed) }
}
