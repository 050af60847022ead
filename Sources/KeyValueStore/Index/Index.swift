import Glibc
package import LogFormat
import Synchronization

/// The index: all keys with their values, ordered, in memory. A copy-on-write B+tree with one writer and any number of
/// readers.
///
/// Why this structure. Reads must never wait for the writer, so readers get an immutable root. An ordered walk by
/// prefix must see one state from its first key to its last, so old roots must stay complete while they are read. A
/// copy-on-write tree gives both with one pointer swap per commit, and the walk costs nothing until it is used. A hash
/// table is faster for single reads, but needs a second, ordered structure and versions per key for the walk. The cost
/// of the tree is the path that a commit copies: about four nodes of up to 1 KiB for a single write into a million
/// keys; nodes that the batch has already created are changed in place, so a batch copies its shared part once. Memory
/// is managed manually, because reference counts on shared nodes would make all readers write to the same cache lines,
/// and copying a node would access every child.
///
/// Writing is confined to one thread at a time. A batch is staged with ``set(_:)`` and ``remove(_:)``, which see each
/// other's effects, and becomes visible as a whole with ``publish()`` or is undone with ``rollBack()``.
package final class Index: @unchecked Sendable {
    // `@unchecked`: all stored `var`s belong to the writer; readers use the atomics and what the root references.

    private enum Garbage {
        case node(Node)
        case entry(Entry)
        case separator(Separator)

        var allocatedBytes: Int {
            switch self {
            case .node(let node): node.allocatedBytes
            case .entry(let entry): entry.allocatedBytes
            case .separator(let separator): separator.allocatedBytes
            }
        }

        func free() {
            switch self {
            case .node(let node): node.free()
            case .entry(let entry): entry.free()
            case .separator(let separator): unsafe Glibc.free(separator.base)
            }
        }
    }

    /// The memory of the whole index; other threads see it updated with each ``publish()``.
    package let memory = IndexMemory()
    private let published: Atomic<UInt>
    private let epochs = Epochs()
    private let keyCount = Atomic<Int>(0)
    private let keyByteCount = Atomic<Int>(0)
    private let valueByteCount = Atomic<Int>(0)

    /// Like ``IndexMemory/bytes``, including the current batch.
    package private(set) var allocatedBytes = 0

    private var root: Node
    private var stamp: UInt64 = 1
    /// Garbage of the current batch, and its figures so far.
    private var replaced: [Garbage] = []
    private var madeSeparators: [Separator] = []
    private var staged = Figures()
    /// What earlier batches replaced, oldest first, with the epoch in which it was still visible.
    private var retired: [(epoch: UInt64, garbage: Garbage)] = []
    private var retiredStart = 0

    /// Keys and bytes of the published state.
    package struct Figures: Sendable, Equatable {
        package var keys = 0
        package var keyBytes = 0
        package var valueBytes = 0

        package init(keys: Int = 0, keyBytes: Int = 0, valueBytes: Int = 0) {
            self.keys = keys
            self.keyBytes = keyBytes
            self.valueBytes = valueBytes
        }
    }

    package init() {
        self.root = Node.make(level: 0, stamp: 0)
        self.published = unsafe Atomic(UInt(bitPattern: self.root.base))
        self.allocatedBytes = self.root.allocatedBytes
    }

    deinit {
        // No reader outlives the index, because each has a reference to it.
        self.rollBack()
        self.retired[self.retiredStart...].forEach { $0.garbage.free() }
        self.freeAll(self.root)
    }

    package var figures: Figures {
        Figures(
            keys: self.keyCount.load(ordering: .relaxed), keyBytes: self.keyByteCount.load(ordering: .relaxed),
            valueBytes: self.valueByteCount.load(ordering: .relaxed))
    }

    /// Entries, nodes and separators that readers may still see.
    package var retiredCount: Int { self.retired.count - self.retiredStart }

    // MARK: - Reading

    package func makeReader() -> Reader { Reader(index: self, slot: self.epochs.makeSlot()) }

    /// One thread's access to the published state. Confined to its thread; created by ``makeReader()``.
    package final class Reader {
        private let index: Index
        private let slot: Epochs.Slot
        private var depth = 0

        fileprivate init(index: Index, slot: Epochs.Slot) {
            self.index = index
            self.slot = slot
        }

        deinit { self.index.epochs.remove(self.slot) }

        /// Calls `body` with the entry of `key`, or nil. The entry is valid only during the call.
        package func withEntry<Result>(_ key: UnsafeRawBufferPointer, _ body: (Entry?) -> Result) -> Result {
            self.withRoot { root in
                let leaf = unsafe Index.leaf(root, key)
                let place = unsafe leaf.find(key)
                return body(place.found ? leaf.entry(place.index) : nil)
            }
        }

        /// Calls `body` with the entries from the first key that is not before `start` on, in order and all from one
        /// state, until it returns false. They are valid only during the call, and entries that are replaced meanwhile
        /// are kept until its end: walk in pages.
        package func walk(from start: UnsafeRawBufferPointer, _ body: (Entry) -> Bool) {
            self.withRoot { root in _ = unsafe Index.walk(root, from: start, body) }
        }

        private func withRoot<Result>(_ body: (Node) -> Result) -> Result {
            // The announcement of the outer read covers a nested one, because it is older.
            self.depth += 1
            defer { self.depth -= 1 }
            if self.depth > 1 { return body(self.root) }
            let epoch = self.index.epochs.current.load(ordering: .sequentiallyConsistent)
            self.slot.epoch.store(epoch, ordering: .sequentiallyConsistent)
            defer { self.slot.epoch.store(Epochs.Slot.none, ordering: .releasing) }
            return body(self.root)
        }

        private var root: Node {
            let address = self.index.published.load(ordering: .sequentiallyConsistent)
            return unsafe Node(UnsafeMutableRawPointer(bitPattern: address)!)
        }
    }

    private static func leaf(_ root: Node, _ key: UnsafeRawBufferPointer) -> Node {
        var node = root
        while !node.isLeaf { node = unsafe node.child(node.childIndex(for: key)) }
        return node
    }

    private static func walk(_ node: Node, from start: UnsafeRawBufferPointer, _ body: (Entry) -> Bool) -> Bool {
        if node.isLeaf {
            for index in unsafe node.find(start).index..<node.count where !body(node.entry(index)) { return false }
            return true
        }
        let first = unsafe node.childIndex(for: start)
        if unsafe !Self.walk(node.child(first), from: start, body) { return false }
        let everything = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        for index in first + 1..<node.count {
            if unsafe !Self.walk(node.child(index), from: everything, body) { return false }
        }
        return true
    }

    // MARK: - Writing

    /// The entry of `key` in the current batch. Writer only; valid until the next change.
    package func staged(_ key: UnsafeRawBufferPointer) -> Entry? {
        let leaf = unsafe Self.leaf(self.root, key)
        let place = unsafe leaf.find(key)
        return place.found ? leaf.entry(place.index) : nil
    }

    /// Stages `entry`, whose revision is set, and takes ownership of it.
    /// - Returns: the previous record of its key, if there was one.
    package func set(_ entry: Entry) -> ReplacedRecord? {
        let key = unsafe entry.key
        self.root = self.editable(self.root)
        if self.root.count == Node.capacity {
            let above = self.makeNode(level: self.root.level + 1)
            above.setChild(0, self.root)
            above.count = 1
            self.split(childAt: 0, of: above)
            self.root = above
        }
        var node = self.root
        while !node.isLeaf {
            var index = unsafe node.childIndex(for: key)
            let child = self.editable(node.child(index))
            node.setChild(index, child)
            if child.count == Node.capacity {
                self.split(childAt: index, of: node)
                index = unsafe node.childIndex(for: key)
            }
            node = node.child(index)
        }
        let place = unsafe node.find(key)
        self.staged.valueBytes += entry.valueCount
        self.allocatedBytes += entry.allocatedBytes
        guard place.found else {
            node.insert(entry, at: place.index)
            self.staged.keys += 1
            self.staged.keyBytes += entry.keyCount
            return nil
        }
        let old = node.entry(place.index)
        let replaced = ReplacedRecord(old)
        self.staged.valueBytes -= old.valueCount
        self.discard(old)
        node.setEntry(place.index, entry)
        return replaced
    }

    /// Stages the removal of `key`.
    /// - Returns: its record, if it existed.
    package func remove(_ key: UnsafeRawBufferPointer) -> ReplacedRecord? {
        if unsafe self.staged(key) == nil { return nil }
        self.root = self.editable(self.root)
        var path: [(node: Node, index: Int)] = []
        var node = self.root
        while !node.isLeaf {
            let index = unsafe node.childIndex(for: key)
            let child = self.editable(node.child(index))
            node.setChild(index, child)
            path.append((node, index))
            node = child
        }
        let place = unsafe node.find(key)
        let old = node.entry(place.index)
        let removed = ReplacedRecord(old)
        self.staged.keys -= 1
        self.staged.keyBytes -= old.keyCount
        self.staged.valueBytes -= old.valueCount
        node.removeEntry(at: place.index)
        self.discard(old)
        for (parent, index) in path.reversed() { self.shrink(childAt: index, of: parent) }
        while !self.root.isLeaf && self.root.count <= 1 {
            let old = self.root
            self.root = old.count == 1 ? old.child(0) : self.makeNode(level: 0)
            self.discard(old)
        }
        return removed
    }

    /// Makes the whole batch visible to readers at once, and frees everything that no reader can see any more.
    package func publish() {
        unsafe self.published.store(UInt(bitPattern: self.root.base), ordering: .sequentiallyConsistent)
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
    }

    /// Undoes the batch and frees its entries.
    package func rollBack() {
        let address = self.published.load(ordering: .relaxed)
        let root = unsafe Node(UnsafeMutableRawPointer(bitPattern: address)!)
        if root != self.root { self.freeStaged(self.root) }
        for separator in self.madeSeparators { self.free(.separator(separator)) }
        self.root = root
        self.replaced.removeAll()
        self.endBatch()
    }

    private func endBatch() {
        self.stamp += 1
        self.staged = Figures()
        self.madeSeparators.removeAll(keepingCapacity: self.madeSeparators.capacity <= 65_536)
    }

    // MARK: - Nodes

    /// The node itself if this batch created it, else a copy that replaces it.
    private func editable(_ node: Node) -> Node {
        if node.stamp == self.stamp { return node }
        let copy = node.copy(stamp: self.stamp)
        self.allocatedBytes += copy.allocatedBytes
        self.replaced.append(.node(node))
        return copy
    }

    private func split(childAt index: Int, of parent: Node) {
        let left = parent.child(index)
        let right = self.makeNode(level: left.level)
        // Keys in ascending order leave full leaves behind instead of half-full ones.
        let appends = index == parent.count - 1 && parent == self.lastParent(atLevel: parent.level)
        let at = appends ? left.count - 1 : left.count / 2
        let separator: Separator
        if let middle = left.split(at: at, into: right) {
            separator = middle
        } else {
            separator = unsafe Separator.make(after: left.entry(at - 1).key, upTo: right.entry(0).key)
            self.allocatedBytes += separator.allocatedBytes
            self.madeSeparators.append(separator)
        }
        parent.insert(right, from: separator, at: index + 1)
    }

    private func lastParent(atLevel level: Int) -> Node? {
        var node = self.root
        while node.level > level { node = node.child(node.count - 1) }
        return node.level == level ? node : nil
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
        if child.count >= Node.capacity / 4 || parent.count == 1 { return }
        let leftIndex = index == parent.count - 1 ? index - 1 : index
        let sizes = parent.child(leftIndex).count + parent.child(leftIndex + 1).count
        if sizes > Node.capacity * 3 / 4 { return }
        let left = self.editable(parent.child(leftIndex))
        parent.setChild(leftIndex, left)
        let right = parent.child(leftIndex + 1)
        let separator = parent.separator(leftIndex)
        left.append(contentsOf: right, separator: left.isLeaf ? nil : separator)
        if left.isLeaf { self.discard(separator) }
        parent.removeChild(at: leftIndex + 1)
        self.discard(right)
    }

    // MARK: - Memory

    private func makeNode(level: Int) -> Node {
        let node = Node.make(level: level, stamp: self.stamp)
        self.allocatedBytes += node.allocatedBytes
        return node
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
        if self.isUnpublished(entry) { self.free(.entry(entry)) } else { self.replaced.append(.entry(entry)) }
    }

    private func discard(_ separator: Separator) { self.replaced.append(.separator(separator)) }

    private func isUnpublished(_ entry: Entry) -> Bool { entry.revision > self.publishedRevision }

    /// The newest revision that readers can see. Set it before the first change of a batch.
    package var publishedRevision: UInt64 = 0

    private func freeStaged(_ node: Node) {
        if node.stamp != self.stamp { return }
        for index in 0..<node.count {
            if !node.isLeaf {
                self.freeStaged(node.child(index))
            } else if self.isUnpublished(node.entry(index)) {
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
            for index in 0..<max(node.count - 1, 0) { unsafe Glibc.free(node.separator(index).base) }
        }
        node.free()
    }
}
