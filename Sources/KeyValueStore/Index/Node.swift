import Glibc

/// A node of the index, at most 64 wide, in memory of its own:
///
///     offset  size  field
///          0     8  stamp: the batch that made it. It may be changed in place only while that batch is not published
///          8     2  count of slots
///         10     2  level, 0 for a leaf
///         16   512  slots: entries in a leaf, children above
///        528   504  above leaves only: count - 1 separators; child i holds keys from separator i - 1 on
///
/// Only the writer thread uses it until it is published; then any thread reads it and none changes it.
@safe struct Node: Equatable {
    static let capacity = 64
    private static let slotsOffset = 16
    private static let separatorsOffset = 16 + Self.capacity * 8
    private static let leafBytes = Self.separatorsOffset
    private static let branchBytes = Self.separatorsOffset + (Self.capacity - 1) * 8

    let base: UnsafeMutableRawPointer

    init(_ base: UnsafeMutableRawPointer) { unsafe self.base = base }

    static func == (left: Node, right: Node) -> Bool { unsafe left.base == right.base }

    static func make(level: Int, stamp: UInt64) -> Node {
        guard let base = unsafe malloc(level == 0 ? Self.leafBytes : Self.branchBytes) else {
            failedAllocation("a node of the index")
        }
        unsafe base.storeBytes(of: stamp, as: UInt64.self)
        unsafe base.storeBytes(of: 0, toByteOffset: 8, as: UInt16.self)
        unsafe base.storeBytes(of: UInt16(level), toByteOffset: 10, as: UInt16.self)
        return unsafe Node(base)
    }

    func copy(stamp: UInt64) -> Node {
        let copy = Node.make(level: self.level, stamp: stamp)
        copy.count = self.count
        unsafe memcpy(copy.base + Self.slotsOffset, self.base + Self.slotsOffset, self.count * 8)
        if !self.isLeaf && self.count > 1 {
            unsafe memcpy(
                copy.base + Self.separatorsOffset, self.base + Self.separatorsOffset, (self.count - 1) * 8)
        }
        return copy
    }

    func free() { unsafe Glibc.free(self.base) }

    /// The bytes that the allocator uses for it.
    var allocatedBytes: Int { IndexMemory.allocated(self.isLeaf ? Self.leafBytes : Self.branchBytes) }

    var stamp: UInt64 { unsafe self.base.load(as: UInt64.self) }
    var level: Int { unsafe Int(self.base.load(fromByteOffset: 10, as: UInt16.self)) }
    var isLeaf: Bool { self.level == 0 }
    var count: Int {
        get { unsafe Int(self.base.load(fromByteOffset: 8, as: UInt16.self)) }
        nonmutating set { unsafe self.base.storeBytes(of: UInt16(newValue), toByteOffset: 8, as: UInt16.self) }
    }

    // MARK: - Slots

    private func pointer(at offset: Int) -> UnsafeMutableRawPointer {
        unsafe self.base.load(fromByteOffset: offset, as: UnsafeMutableRawPointer.self)
    }

    func entry(_ index: Int) -> Entry { unsafe Entry(self.pointer(at: Self.slotsOffset + index * 8)) }
    func child(_ index: Int) -> Node { unsafe Node(self.pointer(at: Self.slotsOffset + index * 8)) }
    func separator(_ index: Int) -> Separator { unsafe Separator(self.pointer(at: Self.separatorsOffset + index * 8)) }

    func setEntry(_ index: Int, _ entry: Entry) {
        unsafe self.base.storeBytes(
            of: entry.base, toByteOffset: Self.slotsOffset + index * 8, as: UnsafeMutableRawPointer.self)
    }

    func setChild(_ index: Int, _ child: Node) {
        unsafe self.base.storeBytes(
            of: child.base, toByteOffset: Self.slotsOffset + index * 8, as: UnsafeMutableRawPointer.self)
    }

    func setSeparator(_ index: Int, _ separator: Separator) {
        unsafe self.base.storeBytes(
            of: separator.base, toByteOffset: Self.separatorsOffset + index * 8, as: UnsafeMutableRawPointer.self)
    }

    private func move(from: Int, to: Int, count: Int, origin: Int) {
        if count > 0 { unsafe memmove(self.base + origin + to * 8, self.base + origin + from * 8, count * 8) }
    }

    // MARK: - Changes

    func insert(_ entry: Entry, at index: Int) {
        self.move(from: index, to: index + 1, count: self.count - index, origin: Self.slotsOffset)
        self.setEntry(index, entry)
        self.count += 1
    }

    func removeEntry(at index: Int) {
        self.move(from: index + 1, to: index, count: self.count - index - 1, origin: Self.slotsOffset)
        self.count -= 1
    }

    /// Inserts `child` after child `index - 1`; it contains the keys from `separator` on.
    func insert(_ child: Node, from separator: Separator, at index: Int) {
        self.move(from: index, to: index + 1, count: self.count - index, origin: Self.slotsOffset)
        self.move(from: index - 1, to: index, count: self.count - index, origin: Self.separatorsOffset)
        self.setChild(index, child)
        self.setSeparator(index - 1, separator)
        self.count += 1
    }

    /// Removes child `index` and the separator before it; for the first child, the separator after it.
    func removeChild(at index: Int) {
        self.move(from: index + 1, to: index, count: self.count - index - 1, origin: Self.slotsOffset)
        let separator = max(index - 1, 0)
        self.move(from: separator + 1, to: separator, count: self.count - separator - 2, origin: Self.separatorsOffset)
        self.count -= 1
    }

    /// Moves the slots from `index` on into the empty node `right` of the same level. Above leaves, the separator
    /// between them is then in neither node, and is returned.
    func split(at index: Int, into right: Node) -> Separator? {
        let moved = self.count - index
        unsafe memcpy(right.base + Self.slotsOffset, self.base + Self.slotsOffset + index * 8, moved * 8)
        right.count = moved
        var middle: Separator?
        if !self.isLeaf {
            middle = self.separator(index - 1)
            unsafe memcpy(
                right.base + Self.separatorsOffset, self.base + Self.separatorsOffset + index * 8, (moved - 1) * 8)
        }
        self.count = index
        return middle
    }

    /// Appends all slots of `right`, its neighbour; above leaves with the separator between the two.
    func append(contentsOf right: Node, separator: Separator?) {
        unsafe memcpy(
            self.base + Self.slotsOffset + self.count * 8, right.base + Self.slotsOffset, right.count * 8)
        if let separator {
            self.setSeparator(self.count - 1, separator)
            unsafe memcpy(
                self.base + Self.separatorsOffset + self.count * 8, right.base + Self.separatorsOffset,
                (right.count - 1) * 8)
        }
        self.count += right.count
    }

    // MARK: - Search

    /// Index of the first entry whose key is not before `key`, and whether it is equal.
    func find(_ key: UnsafeRawBufferPointer) -> (index: Int, found: Bool) {
        var low = 0
        var high = self.count
        while low < high {
            let middle = (low + high) >> 1
            let order = unsafe KeyOrder.compare(self.entry(middle).key, key)
            if order == 0 { return (middle, true) }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return (low, false)
    }

    /// Index of the child that contains `key`.
    func childIndex(for key: UnsafeRawBufferPointer) -> Int {
        var low = 0
        var high = self.count - 1
        while low < high {
            let middle = (low + high) >> 1
            if unsafe KeyOrder.compare(self.separator(middle).key, key) <= 0 { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// A key that divides two children: the shortest prefix of the right one's first key that is greater than all keys of
/// the left one. Owned by the one node of the newest revision that contains it.
@safe struct Separator {
    let base: UnsafeMutableRawPointer

    init(_ base: UnsafeMutableRawPointer) { unsafe self.base = base }

    static func make(after left: UnsafeRawBufferPointer, upTo right: UnsafeRawBufferPointer) -> Separator {
        var length = 0
        while unsafe length < left.count && left[length] == right[length] { length += 1 }
        length += 1
        guard let base = unsafe malloc(2 + length) else { failedAllocation("a separator of the index") }
        unsafe base.storeBytes(of: UInt16(length), as: UInt16.self)
        unsafe memcpy(base + 2, right.baseAddress!, length)
        return unsafe Separator(base)
    }

    /// The bytes that the allocator uses for it.
    var allocatedBytes: Int { unsafe IndexMemory.allocated(2 + Int(self.base.load(as: UInt16.self))) }

    var key: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: self.base + 2, count: Int(self.base.load(as: UInt16.self)))
    }
}
