public import LogFormat
import Synchronization

/// The index: all keys with their values, ordered, in memory. A copy-on-write B+tree with one writer and any number of
/// readers.
///
/// Why this structure. Reads must never wait for the writer, so readers get an immutable root. An ordered walk by
/// prefix must see one state from its first key to its last, so old roots must stay complete while they are read. A
/// copy-on-write tree gives both with one pointer swap per commit, and the walk costs nothing until it is used. A hash
/// table is faster for single reads, but needs a second, ordered structure and versions per key for the walk. The cost
/// of the tree is the path that a commit copies: about four nodes of up to 1.5 KiB for a single write into a million
/// keys; nodes that the batch has already created are changed in place, so a batch copies its shared part once. Memory
/// is managed manually, because reference counts on shared nodes would make all readers write to the same cache lines,
/// and copying a node would access every child.
///
/// What makes it fast is that a look-up accesses little memory that the processor has not got in its caches. A ``Node``
/// has in itself what decides nearly all comparisons: above leaves the first bytes in which separators differ, in
/// leaves a byte of a hash of each key. So a look-up in millions of keys waits for a leaf and the entry it wants,
/// whether or not the keys begin with the same bytes. Only the place of a new key is found by comparing keys.
///
/// What makes it small are the short header of an ``Entry``, an allocator without headers (``Slabs``), and nodes that
/// have room for little more than they contain. An entry needs 12 bytes, 10 to 11 for its share of the nodes, and what
/// is missing to a multiple of 8.
///
/// Writing is confined to one thread at a time. A batch is staged with ``set(_:)`` and ``remove(_:)``, which see each
/// other's effects, and becomes visible as a whole with ``publish(revision:)`` or is undone with ``rollBack()``.
public final class Index: @unchecked Sendable {
    // `@unchecked`: all stored `var`s belong to the writer; readers use the atomics and what the root references.

    /// The memory of the whole index; other threads see it updated with each ``publish(revision:)``.
    public let memory = IndexMemory()
    /// The root that readers get.
    let published: Atomic<UInt>
    /// The newest revision in that root.
    private let visibleRevision = Atomic<UInt64>(0)
    /// Odd while the two change.
    private let publications = Atomic<UInt64>(0)
    let epochs = Epochs()
    private let keyCount = Atomic<Int>(0)
    private let keyByteCount = Atomic<Int>(0)
    private let valueByteCount = Atomic<Int>(0)

    /// Like ``IndexMemory/bytes``, including the current batch.
    public private(set) var allocatedBytes = 0

    /// What of the current batch expires. Writer only.
    private(set) var expiring = ExpiryQueue()
    /// Like the number of ``expiring``, of the published state.
    private let expiringCount = Atomic<Int>(0)
    /// Gets what changes replace and remove, for those who watch. Writer only.
    var history: ChangeHistory?

    /// The root of the current batch. Writer only.
    private(set) var root: Node
    private var stamp: UInt64 = 1
    /// The last leaf, if it was the last that this batch wrote to: keys in ascending order need no search.
    private var lastLeaf: Node?
    /// The nodes above the leaf of the change, the root first, each with the index of the next one.
    private var path: [(node: Node, index: Int)] = []
    /// Garbage of the current batch, and its figures so far.
    private var replaced: [Garbage] = []
    private var madeSeparators: [Separator] = []
    private var staged = Figures()
    /// What earlier batches replaced, oldest first, with the epoch in which it was still visible.
    private var retired: [(epoch: UInt64, garbage: Garbage)] = []
    private var retiredStart = 0

    /// Keys and bytes of the published state.
    public struct Figures: Sendable, Equatable {
        public var keys = 0
        public var keyBytes = 0
        public var valueBytes = 0
        /// Keys with an expiry time.
        public var expiringKeys = 0

        public init(keys: Int = 0, keyBytes: Int = 0, valueBytes: Int = 0, expiringKeys: Int = 0) {
            self.keys = keys
            self.keyBytes = keyBytes
            self.valueBytes = valueBytes
            self.expiringKeys = expiringKeys
        }
    }

    public init() {
        self.root = Node.make(level: 0, stamp: 0, roomFor: 1)
        self.published = unsafe Atomic(UInt(bitPattern: self.root.base))
        self.allocatedBytes = self.root.allocatedBytes
    }

    deinit {
        // No reader outlives the index, because each has a reference to it.
        self.rollBack()
        self.retired[self.retiredStart...].forEach { $0.garbage.free() }
        self.freeAll(self.root)
    }

    public var figures: Figures {
        Figures(
            keys: self.keyCount.load(ordering: .relaxed), keyBytes: self.keyByteCount.load(ordering: .relaxed),
            valueBytes: self.valueByteCount.load(ordering: .relaxed),
            expiringKeys: self.expiringCount.load(ordering: .relaxed))
    }

    /// Entries, nodes and separators that readers may still see.
    public var retiredCount: Int { self.retired.count - self.retiredStart }

    // MARK: - Writing

    /// The entry of `key` in the current batch. Writer only; valid until the next change.
    public func staged(_ key: UnsafeRawBufferPointer) -> Entry? { unsafe self.root.entry(of: key) }

    /// Stages `entry`, whose revision is set, and takes ownership of it.
    /// - Returns: the previous record of its key, if there was one.
    public func set(_ entry: Entry) -> ReplacedRecord? {
        let key = unsafe entry.key
        let mark = unsafe KeyMark.of(key)
        self.staged.valueBytes += entry.valueCount
        self.allocatedBytes += entry.allocatedBytes
        if entry.hasExpiry { self.expiring.insert(entry) }
        var leaf = self.lastLeaf ?? self.root
        var appends = unsafe leaf == self.lastLeaf && leaf.hasRoom && leaf.isBefore(key)
        if !appends {
            leaf = unsafe self.editableLeaf(for: key)
            appends = unsafe leaf == self.lastLeaf && leaf.isBefore(key)
        }
        guard !appends, let index = unsafe leaf.find(key, mark) else {
            unsafe leaf.insert(entry, mark, at: appends ? leaf.count : leaf.lowerBound(key))
            for (node, _) in self.path { node.entryCount += 1 }
            self.expiryChanged(in: leaf, added: entry.expiryOrMax, removed: .max)
            self.staged.keys += 1
            self.staged.keyBytes += entry.keyCount
            return nil
        }
        let old = leaf.entry(index)
        let replaced = ReplacedRecord(old)
        let expiry = old.expiryOrMax
        self.staged.valueBytes -= old.valueCount
        self.history?.replaces(old)
        self.discard(old)
        leaf.setEntry(index, entry)
        self.expiryChanged(in: leaf, added: entry.expiryOrMax, removed: expiry)
        return replaced
    }

    /// Stages the removal of `key`.
    /// - Returns: its record, if it existed.
    public func remove(_ key: UnsafeRawBufferPointer) -> ReplacedRecord? {
        guard let old = unsafe self.staged(key) else { return nil }
        self.lastLeaf = nil
        self.root = self.editable(self.root)
        self.path.removeAll(keepingCapacity: true)
        var node = self.root
        while !node.isLeaf {
            let index = unsafe node.childIndex(for: key)
            let child = self.editable(node.child(index))
            node.setChild(index, child)
            self.path.append((node, index))
            node = child
        }
        let removed = ReplacedRecord(old)
        let expiry = old.expiryOrMax
        self.staged.keys -= 1
        self.staged.keyBytes -= old.keyCount
        self.staged.valueBytes -= old.valueCount
        node.removeEntry(at: unsafe node.lowerBound(key))
        self.history?.replaces(old)
        self.discard(old)
        node.updateFirstExpiry(added: .max, removed: expiry)
        for (parent, index) in self.path.reversed() {
            self.shrink(childAt: index, of: parent)
            parent.entryCount -= 1
            parent.updateFirstExpiry(added: .max, removed: expiry)
        }
        while !self.root.isLeaf && self.root.count == 1 { self.replaceRoot(self.root.child(0)) }
        // An empty index needs no more memory than a new one.
        if self.root.count == 0 { self.replaceRoot(self.makeNode(level: 0)) }
        return removed
    }

    /// Makes the whole batch visible to readers at once, and frees everything that no reader can see any more.
    /// - Parameter revision: the newest one of the batch, or of the state if the batch has none.
    public func publish(revision: UInt64) {
        self.publications.add(1, ordering: .sequentiallyConsistent)
        unsafe self.published.store(UInt(bitPattern: self.root.base), ordering: .sequentiallyConsistent)
        self.visibleRevision.store(revision, ordering: .sequentiallyConsistent)
        self.publications.add(1, ordering: .sequentiallyConsistent)
        self.keyCount.add(self.staged.keys, ordering: .relaxed)
        self.keyByteCount.add(self.staged.keyBytes, ordering: .relaxed)
        self.valueByteCount.add(self.staged.valueBytes, ordering: .relaxed)
        let epoch = self.epochs.current.load(ordering: .relaxed)
        for garbage in self.replaced { self.retired.append((epoch, garbage)) }
        self.replaced.removeAll(keepingCapacity: self.replaced.capacity <= 65_536)
        self.endBatch()
        let oldest = self.epochs.advance()
        while self.retiredStart < self.retired.count, self.retired[self.retiredStart].epoch < oldest {
            self.free(self.retired[self.retiredStart].garbage)
            self.retiredStart += 1
        }
        if self.retiredStart == self.retired.count {
            self.retired.removeAll(keepingCapacity: self.retired.capacity <= 65_536)
            self.retiredStart = 0
        }
        self.memory.bytes.store(self.allocatedBytes, ordering: .relaxed)
        self.expiringCount.store(self.expiring.count, ordering: .relaxed)
    }

    /// Undoes the batch and frees its entries.
    public func rollBack() {
        let address = self.published.load(ordering: .relaxed)
        let root = unsafe Node(UnsafeMutableRawPointer(bitPattern: address)!)
        if root != self.root { self.freeStaged(self.root) }
        for separator in self.madeSeparators { self.free(.separator(separator)) }
        for case .entry(let entry) in self.replaced where entry.hasExpiry { self.expiring.insert(entry) }
        self.root = root
        self.replaced.removeAll()
        self.endBatch()
    }

    private func endBatch() {
        self.stamp += 1
        self.lastLeaf = nil
        self.staged = Figures()
        self.madeSeparators.removeAll(keepingCapacity: self.madeSeparators.capacity <= 65_536)
    }

    // MARK: - Nodes

    /// The leaf that contains `key`, or to which it belongs, with room for it. This batch created it and the nodes above
    /// it, which are in ``path`` then.
    private func editableLeaf(for key: UnsafeRawBufferPointer) -> Node {
        self.root = self.editable(self.root)
        if self.root.isFull {
            let above = self.makeNode(level: self.root.level + 1)
            above.insertFirst(self.root)
            self.split(childAt: 0, of: above, isLast: true)
            self.root = above
        }
        self.path.removeAll(keepingCapacity: true)
        var node = self.root
        var isLast = true
        while !node.isLeaf {
            var index = unsafe node.childIndex(for: key)
            let child = self.editable(node.child(index))
            node.setChild(index, child)
            if child.isFull {
                self.split(childAt: index, of: node, isLast: isLast && index == node.count - 1)
                index = unsafe node.childIndex(for: key)
            }
            isLast = isLast && index == node.count - 1
            self.path.append((node, index))
            node = node.child(index)
        }
        self.lastLeaf = isLast ? node : nil
        return node
    }

    /// The node itself if this batch created it and it has room or is full, else a copy that replaces it. A copy has
    /// hardly more room than it needs: so the memory of a large index hardly depends on the order in which it was
    /// filled.
    private func editable(_ node: Node) -> Node {
        if node.stamp == self.stamp && (node.hasRoom || node.isFull) { return node }
        let copy = self.copy(node, 0..<node.count)
        self.discard(node)
        return copy
    }

    private func split(childAt index: Int, of parent: Node, isLast: Bool) {
        let child = parent.child(index)
        // Keys in ascending order leave full leaves behind instead of half-full ones.
        let at = isLast ? child.count - 1 : child.count / 2
        let left = self.copy(child, 0..<at)
        let right = self.copy(child, at..<child.count)
        let separator: Separator
        if child.isLeaf {
            separator = unsafe Separator.make(after: left.entry(at - 1).key, upTo: right.entry(0).key)
            self.allocatedBytes += separator.allocatedBytes
            self.madeSeparators.append(separator)
        } else {
            separator = child.separator(at - 1)
            left.setHeads()
            right.setHeads()
        }
        self.discard(child)
        parent.setChild(index, left)
        parent.insert(right, from: separator, at: index + 1)
    }

    /// In the nodes of ``path`` and in the leaf behind them.
    private func expiryChanged(in leaf: Node, added: UInt64, removed: UInt64) {
        if added == .max && removed == .max { return }
        leaf.updateFirstExpiry(added: added, removed: removed)
        for (node, _) in self.path.reversed() { node.updateFirstExpiry(added: added, removed: removed) }
    }

    private func replaceRoot(_ root: Node) {
        self.discard(self.root)
        self.root = root
    }

    /// Removes an empty child, or merges a nearly empty one with a neighbour if both fit well into one node.
    private func shrink(childAt index: Int, of parent: Node) {
        let child = parent.child(index)
        if child.count == 0 {
            if parent.count > 1 { self.discard(parent.separator(max(index - 1, 0))) }
            parent.removeChild(at: index)
            self.discard(child)
            return
        }
        if child.count >= Node.maximumCount / 4 || parent.count == 1 { return }
        let leftIndex = index == parent.count - 1 ? index - 1 : index
        let (left, right) = (parent.child(leftIndex), parent.child(leftIndex + 1))
        if left.count + right.count > Node.maximumCount * 3 / 4 { return }
        let separator = parent.separator(leftIndex)
        let joined = left.joined(with: right, separator, stamp: self.stamp)
        self.allocatedBytes += joined.allocatedBytes
        if joined.isLeaf { self.discard(separator) }
        parent.setChild(leftIndex, joined)
        parent.removeChild(at: leftIndex + 1)
        self.discard(left)
        self.discard(right)
    }

    // MARK: - Memory

    private func makeNode(level: Int) -> Node {
        let node = Node.make(level: level, stamp: self.stamp, roomFor: 2)
        self.allocatedBytes += node.allocatedBytes
        return node
    }

    private func copy(_ node: Node, _ range: Range<Int>) -> Node {
        let copy = node.copy(range, stamp: self.stamp)
        self.allocatedBytes += copy.allocatedBytes
        return copy
    }

    private func free(_ garbage: Garbage) {
        self.allocatedBytes -= garbage.allocatedBytes
        garbage.free()
    }

    private func discard(_ node: Node) {
        if node.stamp == self.stamp { self.free(.node(node)) } else { self.replaced.append(.node(node)) }
    }

    /// No reader can have seen an entry of the current batch.
    private func discard(_ entry: Entry) {
        if entry.hasExpiry { self.expiring.remove(entry) }
        if self.isUnpublished(entry) { self.free(.entry(entry)) } else { self.replaced.append(.entry(entry)) }
    }

    private func discard(_ separator: Separator) { self.replaced.append(.separator(separator)) }

    private func isUnpublished(_ entry: Entry) -> Bool { entry.revision > self.publishedRevision }

    /// The newest revision that readers can see.
    public var publishedRevision: UInt64 { self.visibleRevision.load(ordering: .sequentiallyConsistent) }

    /// The root that readers get, and the newest revision in it. Any thread, within an epoch; it reads again if it meets
    /// a publication, which takes three stores.
    var publishedState: (root: Node, revision: UInt64) {
        while true {
            let before = self.publications.load(ordering: .sequentiallyConsistent)
            let address = self.published.load(ordering: .sequentiallyConsistent)
            let revision = self.publishedRevision
            if before % 2 == 0, before == self.publications.load(ordering: .sequentiallyConsistent) {
                return unsafe (Node(UnsafeMutableRawPointer(bitPattern: address)!), revision)
            }
        }
    }

    private func freeStaged(_ node: Node) {
        if node.stamp != self.stamp { return }
        for index in 0..<node.count {
            if !node.isLeaf {
                self.freeStaged(node.child(index))
            } else if self.isUnpublished(node.entry(index)) {
                if node.entry(index).hasExpiry { self.expiring.remove(node.entry(index)) }
                self.free(.entry(node.entry(index)))
            }
        }
        self.free(.node(node))
    }

    private func freeAll(_ node: Node) {
        for index in 0..<node.count {
            if node.isLeaf { node.entry(index).free() } else { self.freeAll(node.child(index)) }
        }
        if !node.isLeaf {
            for index in 0..<max(node.count - 1, 0) { node.separator(index).free() }
        }
        node.free()
    }
}
