import Glibc

/// A node of the index, at most 64 wide, in memory of its own, which has room for `capacity` slots, a multiple of 8:
///
///     offset               size          field
///          0                  8          stamp: the batch that made it. It may be changed in place only while that
///                                        batch is not published
///          8                  2          count of slots
///         10                  1          level, 0 for a leaf
///         11                  1          capacity
///         12                  2          above leaves: bytes that all separators begin with
///         16                  8          when the first of the entries below it expires; all bits set for never
///         24                  8          above leaves: number of entries below it
///
///     a leaf:
///         24                  capacity   marks of the keys
///         24 + capacity       8 × same   entries in the order of their keys
///
///     above leaves:
///         32                  8 × same   children; child i holds keys from separator i - 1 on
///         32 +  8 × capacity  8 × same   heads: eight bytes of each separator behind what all begin with
///         32 + 16 × capacity  8 × same   count - 1 separators
///
/// An exact look-up in a leaf compares the marks, eight at a time, and accesses only entries whose mark is that of the
/// key. Above leaves, heads decide, and a separator is accessed only if its head is that of the key.
///
/// Only the writer thread uses a node until it is published; then any thread reads it and none changes it.
@safe struct Node: Equatable {
    static let maximumCount = 64
    static let cacheLineBytes = 64
    private static let leafHeaderBytes = 24
    private static let headerBytes = 32

    let base: UnsafeMutableRawPointer

    init(_ base: UnsafeMutableRawPointer) { unsafe self.base = base }

    static func == (left: Node, right: Node) -> Bool { unsafe left.base == right.base }

    /// An empty node with room for `count` slots.
    static func make(level: Int, stamp: UInt64, roomFor count: Int) -> Node {
        let capacity = Self.capacity(for: count)
        guard let base = unsafe Slabs.allocate(Self.byteCount(level: level, capacity: capacity)) else {
            failedAllocation("a node of the index")
        }
        unsafe base.storeBytes(of: stamp, as: UInt64.self)
        unsafe base.storeBytes(of: 0, toByteOffset: 8, as: UInt16.self)
        unsafe base.storeBytes(of: UInt8(level), toByteOffset: 10, as: UInt8.self)
        unsafe base.storeBytes(of: UInt8(capacity), toByteOffset: 11, as: UInt8.self)
        unsafe base.storeBytes(of: 0, toByteOffset: 12, as: UInt16.self)
        unsafe base.storeBytes(of: .max, toByteOffset: 16, as: UInt64.self)
        if level > 0 { unsafe base.storeBytes(of: 0, toByteOffset: 24, as: Int.self) }
        return unsafe Node(base)
    }

    private static func capacity(for count: Int) -> Int { min(max(8, (count + 7) & ~7), Self.maximumCount) }

    private static func byteCount(level: Int, capacity: Int) -> Int {
        level == 0 ? Self.leafHeaderBytes + capacity * 9 : Self.headerBytes + capacity * 24
    }

    private var byteCount: Int { Self.byteCount(level: self.level, capacity: self.capacity) }

    /// The bytes that the allocator uses for it.
    var allocatedBytes: Int { Slabs.allocated(self.byteCount) }

    /// Of a leaf, up to its last entry.
    var usedBytes: Int { Self.leafHeaderBytes + self.capacity + self.count * 8 }

    func free() { unsafe Slabs.free(self.base, self.byteCount) }

    var stamp: UInt64 { unsafe self.base.load(as: UInt64.self) }
    var level: Int { unsafe Int(self.base.load(fromByteOffset: 10, as: UInt8.self)) }
    var isLeaf: Bool { self.level == 0 }
    private var capacity: Int { unsafe Int(self.base.load(fromByteOffset: 11, as: UInt8.self)) }
    var isFull: Bool { self.count == Self.maximumCount }
    /// Whether a slot can be inserted in place.
    var hasRoom: Bool { self.count < self.capacity }

    private(set) var count: Int {
        get { unsafe Int(self.base.load(fromByteOffset: 8, as: UInt16.self)) }
        nonmutating set { unsafe self.base.storeBytes(of: UInt16(newValue), toByteOffset: 8, as: UInt16.self) }
    }

    private(set) var sharedBytes: Int {
        get { unsafe Int(self.base.load(fromByteOffset: 12, as: UInt16.self)) }
        nonmutating set { unsafe self.base.storeBytes(of: UInt16(newValue), toByteOffset: 12, as: UInt16.self) }
    }

    /// When the first of the entries below it expires, milliseconds since 1970; `.max` if none does.
    private(set) var firstExpiry: UInt64 {
        get { unsafe self.base.load(fromByteOffset: 16, as: UInt64.self) }
        nonmutating set { unsafe self.base.storeBytes(of: newValue, toByteOffset: 16, as: UInt64.self) }
    }

    /// Number of entries below it; of a leaf, in it. Can be set only above leaves.
    var entryCount: Int {
        get { self.isLeaf ? self.count : unsafe self.base.load(fromByteOffset: 24, as: Int.self) }
        nonmutating set { unsafe self.base.storeBytes(of: newValue, toByteOffset: 24, as: Int.self) }
    }

    // MARK: - Slots

    /// What a node has for each slot: where it begins, and the bytes of each.
    struct Column {
        let offset: Int
        let width: Int
    }

    var marks: Column { Column(offset: Self.leafHeaderBytes, width: 1) }
    private var entries: Column { Column(offset: Self.leafHeaderBytes + self.capacity, width: 8) }
    private var children: Column { Column(offset: Self.headerBytes, width: 8) }
    private var heads: Column { Column(offset: Self.headerBytes + self.capacity * 8, width: 8) }
    private var separators: Column { Column(offset: Self.headerBytes + self.capacity * 16, width: 8) }

    func address(_ index: Int, _ column: Column) -> UnsafeMutableRawPointer {
        unsafe self.base + column.offset + index * column.width
    }

    func entry(_ index: Int) -> Entry {
        unsafe Entry(self.address(index, self.entries).load(as: UnsafeMutableRawPointer.self))
    }

    func child(_ index: Int) -> Node {
        unsafe Node(self.address(index, self.children).load(as: UnsafeMutableRawPointer.self))
    }

    func separator(_ index: Int) -> Separator {
        unsafe Separator(self.address(index, self.separators).load(as: UnsafeMutableRawPointer.self))
    }

    func head(_ index: Int) -> UInt64 { unsafe self.address(index, self.heads).load(as: UInt64.self) }

    func setEntry(_ index: Int, _ entry: Entry) {
        unsafe self.address(index, self.entries).storeBytes(of: entry.base, as: UnsafeMutableRawPointer.self)
    }

    func setChild(_ index: Int, _ child: Node) {
        unsafe self.address(index, self.children).storeBytes(of: child.base, as: UnsafeMutableRawPointer.self)
    }

    private func setSeparator(_ index: Int, _ separator: Separator) {
        unsafe self.address(index, self.separators).storeBytes(of: separator.base, as: UnsafeMutableRawPointer.self)
    }

    private func move(_ column: Column, from: Int, to: Int, count: Int) {
        if count <= 0 { return }
        unsafe memmove(self.address(to, column), self.address(from, column), count * column.width)
    }

    private func copy(_ column: Column, at index: Int, from other: Node, _ source: Column, _ range: Range<Int>) {
        if range.isEmpty { return }
        unsafe memcpy(
            self.address(index, column), other.address(range.lowerBound, source), range.count * column.width)
    }

    // MARK: - Changes

    /// A copy of a part of it, with room for one more slot.
    func copy(_ range: Range<Int>, stamp: UInt64) -> Node {
        let copy = Node.make(level: self.level, stamp: stamp, roomFor: range.count + 1)
        copy.append(range, of: self)
        if !self.isLeaf { copy.sharedBytes = self.sharedBytes }
        copy.sumUp(self, isWhole: range.count == self.count)
        return copy
    }

    /// Appends slots of `other`, which follow those of this node; above leaves, without the separator between them.
    private func append(_ range: Range<Int>, of other: Node) {
        if self.isLeaf {
            self.copy(self.marks, at: self.count, from: other, other.marks, range)
            self.copy(self.entries, at: self.count, from: other, other.entries, range)
        } else {
            let between = range.lowerBound..<max(range.upperBound - 1, range.lowerBound)
            self.copy(self.children, at: self.count, from: other, other.children, range)
            self.copy(self.heads, at: self.count, from: other, other.heads, between)
            self.copy(self.separators, at: self.count, from: other, other.separators, between)
        }
        self.count += range.count
    }

    /// - Precondition: it has room.
    func insert(_ entry: Entry, _ mark: UInt8, at index: Int) {
        self.move(self.marks, from: index, to: index + 1, count: self.count - index)
        self.move(self.entries, from: index, to: index + 1, count: self.count - index)
        unsafe self.address(index, self.marks).storeBytes(of: mark, as: UInt8.self)
        self.setEntry(index, entry)
        self.count += 1
    }

    func removeEntry(at index: Int) {
        self.move(self.marks, from: index + 1, to: index, count: self.count - index - 1)
        self.move(self.entries, from: index + 1, to: index, count: self.count - index - 1)
        self.count -= 1
    }

    /// The first child of a node above it.
    /// - Precondition: the node is empty.
    func insertFirst(_ child: Node) {
        self.setChild(0, child)
        self.count = 1
        self.entryCount = child.entryCount
        self.firstExpiry = child.firstExpiry
    }

    /// Inserts `child` after child `index - 1`; it contains the keys from `separator` on.
    /// - Precondition: it has room.
    func insert(_ child: Node, from separator: Separator, at index: Int) {
        self.move(self.children, from: index, to: index + 1, count: self.count - index)
        self.move(self.heads, from: index - 1, to: index, count: self.count - index)
        self.move(self.separators, from: index - 1, to: index, count: self.count - index)
        self.setChild(index, child)
        self.setSeparator(index - 1, separator)
        self.count += 1
        self.setHead(index - 1)
    }

    /// Removes child `index` and the separator before it; for the first child, the separator after it.
    func removeChild(at index: Int) {
        let separator = max(index - 1, 0)
        self.move(self.children, from: index + 1, to: index, count: self.count - index - 1)
        self.move(self.heads, from: separator + 1, to: separator, count: self.count - separator - 2)
        self.move(self.separators, from: separator + 1, to: separator, count: self.count - separator - 2)
        self.count -= 1
    }

    /// A copy of it and of its right neighbour in one node; above leaves with the separator between the two.
    func joined(with right: Node, _ separator: Separator, stamp: UInt64) -> Node {
        let joined = Node.make(level: self.level, stamp: stamp, roomFor: self.count + right.count + 1)
        joined.append(0..<self.count, of: self)
        joined.append(0..<right.count, of: right)
        if !self.isLeaf {
            joined.setSeparator(self.count - 1, separator)
            joined.setHeads()
            joined.entryCount = self.entryCount + right.entryCount
        }
        joined.firstExpiry = min(self.firstExpiry, right.firstExpiry)
        return joined
    }

    // MARK: - What is below

    /// Of a copy of `other` or of a part of it.
    private func sumUp(_ other: Node, isWhole: Bool) {
        if !self.isLeaf {
            self.entryCount = isWhole ? other.entryCount : (0..<self.count).reduce(0) { $0 + self.child($1).entryCount }
        }
        self.firstExpiry = isWhole || other.firstExpiry == .max ? other.firstExpiry : self.findFirstExpiry()
    }

    private func findFirstExpiry() -> UInt64 {
        (0..<self.count).reduce(.max) { first, index in
            min(first, self.isLeaf ? self.entry(index).expiryOrMax : self.child(index).firstExpiry)
        }
    }

    /// To be called from the leaf upwards after an entry below has been added or removed, or has replaced another one.
    /// - Parameters: when the two expire, `.max` for never or for none.
    func updateFirstExpiry(added: UInt64, removed: UInt64) {
        let first = min(self.firstExpiry, added)
        // Only if the one that expires first is gone, all others are looked at.
        self.firstExpiry = removed == first && added > removed ? self.findFirstExpiry() : first
    }

    // MARK: - Heads

    /// Computes the head of a new separator, and all heads if it does not begin as the others do.
    private func setHead(_ index: Int) {
        let key = unsafe self.separator(index).key
        let other = unsafe self.separator(index == 0 ? self.count - 2 : 0).key
        if unsafe self.count == 2 || KeyOrder.commonPrefix(key, other) < self.sharedBytes { return self.setHeads() }
        let head = unsafe KeyOrder.head(key, from: self.sharedBytes)
        unsafe self.address(index, self.heads).storeBytes(of: head, as: UInt64.self)
    }

    /// Computes what all separators begin with, and their heads.
    func setHeads() {
        if self.count < 2 { return }
        // They are in order, so what the first and the last begin with, all do.
        self.sharedBytes = unsafe KeyOrder.commonPrefix(self.separator(0).key, self.separator(self.count - 2).key)
        for index in 0..<self.count - 1 {
            let head = unsafe KeyOrder.head(self.separator(index).key, from: self.sharedBytes)
            unsafe self.address(index, self.heads).storeBytes(of: head, as: UInt64.self)
        }
    }
}
