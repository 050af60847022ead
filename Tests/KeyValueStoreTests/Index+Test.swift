import Synchronization
import Testing

@testable import KeyValueStore

extension Index {
    func put(_ key: [UInt8], _ value: [UInt8], revision: UInt64, expiresAt: UInt64 = 0) -> Bool {
        let entry = Entry.make(key: key, value: value, expiresAt: expiresAt)
        entry.revision = revision
        return self.set(entry) != nil
    }

    func drop(_ key: [UInt8]) -> Bool { key.withUnsafeBytes { self.remove($0) != nil } }
}

extension Index.Reader {
    func value(_ key: [UInt8]) -> ([UInt8], UInt64)? {
        key.withUnsafeBytes { self.withEntry($0) { entry in entry.map { (Array($0.value), $0.revision) } } }
    }

    func all(from start: [UInt8] = []) -> [[UInt8]] {
        var keys: [[UInt8]] = []
        start.withUnsafeBytes {
            self.walk(from: $0) {
                keys.append(Array($0.key))
                return true
            }
        }
        return keys
    }
}

extension Index.Reader {
    func keys(
        in range: KeyRange, isReversed: Bool, at now: UInt64, limit: Int
    ) -> (keys: [[UInt8]], revision: UInt64, count: Int?) {
        var keys: [[UInt8]] = []
        let state = self.scan(range, isReversed: isReversed, at: now, counting: range) { entry in
            if keys.count == limit { return false }
            keys.append(Array(entry.key))
            return true
        }
        return (keys, state.revision, state.count)
    }
}

/// Checks what look-ups and counts rely on.
struct IndexStructure {
    /// Bytes of what the root reaches, as the allocator counts them.
    private(set) var bytes = 0
    private(set) var levels = 0
    private var entries = 0
    /// Of the entries that were visited since it was set.
    private var firstExpiry: UInt64 = .max

    init(of index: Index) throws {
        self.levels = index.root.level + 1
        try self.visit(index.root, from: [], to: nil)
    }

    /// - Parameters: the keys below `node` are not before `lower`, and before `upper`.
    private mutating func visit(_ node: Node, from lower: [UInt8], to upper: [UInt8]?) throws {
        self.bytes += node.allocatedBytes
        let keys =
            node.isLeaf ? self.keys(of: node) : (0..<max(node.count - 1, 0)).map { Array(node.separator($0).key) }
        for (left, right) in zip(keys, keys.dropFirst()) { try #require(left.lexicographicallyPrecedes(right)) }
        if let first = keys.first { try #require(!first.lexicographicallyPrecedes(lower)) }
        if let last = keys.last, let upper { try #require(last.lexicographicallyPrecedes(upper)) }
        for (number, key) in keys.enumerated() {
            if node.isLeaf {
                self.bytes += node.entry(number).allocatedBytes
                let mark = node.address(number, node.marks).load(as: UInt8.self)
                try #require(mark == key.withUnsafeBytes(KeyMark.of))
            } else {
                self.bytes += node.separator(number).allocatedBytes
                try #require(key.starts(with: keys[0].prefix(node.sharedBytes)))
                try #require(key.withUnsafeBytes { KeyOrder.head($0, from: node.sharedBytes) } == node.head(number))
            }
        }
        if node.isLeaf {
            let first = (0..<node.count).map { node.entry($0).expiryOrMax }.min() ?? .max
            try #require(node.firstExpiry == first)
            self.entries += node.count
            self.firstExpiry = min(self.firstExpiry, first)
            return
        }
        try #require(node.count > 0)
        let (entriesBefore, expiryBefore) = (self.entries, self.firstExpiry)
        self.firstExpiry = .max
        for number in 0..<node.count {
            let child = node.child(number)
            try #require(child.level == node.level - 1 && child.count > 0)
            try self.visit(
                child, from: number == 0 ? lower : keys[number - 1], to: number < keys.count ? keys[number] : upper)
        }
        try #require(node.entryCount == self.entries - entriesBefore)
        try #require(node.firstExpiry == self.firstExpiry)
        self.firstExpiry = min(self.firstExpiry, expiryBefore)
    }

    private func keys(of leaf: Node) -> [[UInt8]] { (0..<leaf.count).map { Array(leaf.entry($0).key) } }
}

final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    var isSet: Bool { self.value.load(ordering: .acquiring) }
    func set() { self.value.store(true, ordering: .releasing) }
}
