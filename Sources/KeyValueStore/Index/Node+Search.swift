import CSystemSupport

/// Look-ups below a node, for the writer and for readers.
extension Node {
    /// The entry of `key` below this node.
    func entry(of key: UnsafeRawBufferPointer) -> Entry? {
        let mark = unsafe KeyMark.of(key)
        var node = self
        while !node.isLeaf { node = unsafe node.child(node.childIndex(for: key)) }
        return unsafe node.find(key, mark).map(node.entry)
    }

    /// Calls `body` with the entries below this node from the first key that is not before `start` on, in order, until
    /// it returns false.
    /// - Returns: whether it never did.
    func walk(from start: UnsafeRawBufferPointer, _ body: (Entry) -> Bool) -> Bool {
        if self.isLeaf {
            for index in unsafe self.lowerBound(start)..<self.count where !body(self.entry(index)) { return false }
            return true
        }
        let first = unsafe self.childIndex(for: start)
        if unsafe !self.child(first).walk(from: start, body) { return false }
        let everything = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        for index in first + 1..<self.count {
            if unsafe !self.child(index).walk(from: everything, body) { return false }
        }
        return true
    }

    /// Calls `body` with the entries whose keys are before `end` (nil: all), from the last one backwards, until it
    /// returns false.
    /// - Returns: whether it never did.
    func walkBackward(before end: UnsafeRawBufferPointer?, _ body: (Entry) -> Bool) -> Bool {
        if self.isLeaf {
            let upper = unsafe end.map { unsafe self.lowerBound($0) } ?? self.count
            for index in (0..<upper).reversed() where !body(self.entry(index)) { return false }
            return true
        }
        let last = unsafe end.map { unsafe self.childIndex(for: $0) } ?? self.count - 1
        if unsafe !self.child(last).walkBackward(before: end, body) { return false }
        for index in (0..<last).reversed() {
            if unsafe !self.child(index).walkBackward(before: nil, body) { return false }
        }
        return true
    }

    /// How many entries below this node have keys from `start` on, before `end` (nil: all), and do not expire by `now`,
    /// milliseconds since 1970. Accesses the children of one or two nodes of each level, and what has expired.
    func countEntries(from start: UnsafeRawBufferPointer, before end: UnsafeRawBufferPointer?, at now: UInt64) -> Int {
        if unsafe start.isEmpty && end == nil && self.firstExpiry > now { return self.entryCount }
        if self.isLeaf {
            let lower = unsafe self.lowerBound(start)
            let upper = unsafe end.map { unsafe self.lowerBound($0) } ?? self.count
            if lower >= upper { return 0 }
            if self.firstExpiry > now { return upper - lower }
            return (lower..<upper).count { !self.entry($0).hasExpired(at: now) }
        }
        let first = unsafe self.childIndex(for: start)
        let last = unsafe end.map { unsafe self.childIndex(for: $0) } ?? self.count - 1
        if first > last { return 0 }
        let everything = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        return (first...last).reduce(0) { sum, index in
            let (start, end) = unsafe (index == first ? start : everything, index == last ? end : nil)
            return unsafe sum + self.child(index).countEntries(from: start, before: end, at: now)
        }
    }

    /// Index of the entry of `key`, whose mark is `mark`; nil if there is none.
    func find(_ key: UnsafeRawBufferPointer, _ mark: UInt8) -> Int? {
        let low: UInt64 = 0x7F7F_7F7F_7F7F_7F7F
        let pattern = UInt64(mark) &* 0x0101_0101_0101_0101
        let count = self.count
        self.prefetch()
        for first in stride(from: 0, to: count, by: 8) {
            let word = unsafe self.address(first, self.marks).loadUnaligned(as: UInt64.self).littleEndian ^ pattern
            // The highest bit of each byte that is equal.
            var equal = ~(((word & low) &+ low) | word | low)
            while equal != 0 {
                let index = first + equal.trailingZeroBitCount >> 3
                if index < count {
                    let entry = self.entry(index)
                    entry.prefetch()
                    if unsafe KeyOrder.areEqual(entry.key, key) { return index }
                }
                equal &= equal &- 1
            }
        }
        return nil
    }

    /// Loads a leaf while its marks are compared: which of its lines contains the wanted entry is known only then.
    private func prefetch() {
        for offset in stride(from: Self.cacheLineBytes, to: self.usedBytes, by: Self.cacheLineBytes) {
            unsafe cs_prefetch(self.base + offset)
        }
    }

    /// Whether all keys of a leaf are before `key`.
    func isBefore(_ key: UnsafeRawBufferPointer) -> Bool {
        unsafe self.count == 0 || KeyOrder.compare(self.entry(self.count - 1).key, key) < 0
    }

    /// Index of the first entry whose key is not before `key`.
    func lowerBound(_ key: UnsafeRawBufferPointer) -> Int {
        var low = 0
        var high = self.count
        var step = 0
        while low < high {
            if step % 3 == 0 { self.prefetchMiddles(low..<high, steps: 3) }
            step += 1
            let middle = (low + high) >> 1
            if unsafe KeyOrder.compare(self.entry(middle).key, key) < 0 { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Loads at once the entries that the next steps of a binary search may access.
    private func prefetchMiddles(_ range: Range<Int>, steps: Int) {
        if range.isEmpty || steps == 0 { return }
        let middle = (range.lowerBound + range.upperBound) >> 1
        unsafe cs_prefetch(self.entry(middle).base)
        self.prefetchMiddles(range.lowerBound..<middle, steps: steps - 1)
        self.prefetchMiddles(middle + 1..<range.upperBound, steps: steps - 1)
    }

    /// Index of the child that contains `key`.
    func childIndex(for key: UnsafeRawBufferPointer) -> Int {
        let shared = self.sharedBytes
        if shared > 0 && self.count > 1 {
            let start = unsafe UnsafeRawBufferPointer(rebasing: self.separator(0).key[..<shared])
            let order = unsafe KeyOrder.compare(
                UnsafeRawBufferPointer(rebasing: key[..<min(shared, key.count)]), start)
            if order != 0 { return order < 0 ? 0 : self.count - 1 }
        }
        let head = unsafe KeyOrder.head(key, from: shared)
        var low = 0
        var high = self.count - 1
        while low < high {
            let middle = (low + high) >> 1
            let other = self.head(middle)
            let isBefore = unsafe other != head ? other < head : KeyOrder.compare(self.separator(middle).key, key) <= 0
            if isBefore { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
