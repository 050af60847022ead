import Synchronization

extension Index {
    public func makeReader() -> Reader { Reader(index: self, slot: self.epochs.makeSlot()) }

    /// One thread's access to the published state. Confined to its thread; created by ``makeReader()``.
    public final class Reader {
        private let index: Index
        private let slot: Epochs.Slot
        private var depth = 0

        fileprivate init(index: Index, slot: Epochs.Slot) {
            self.index = index
            self.slot = slot
        }

        deinit { self.index.epochs.remove(self.slot) }

        /// Calls `body` with the entry of `key`, or nil. The entry is valid only during the call.
        public func withEntry<Result>(_ key: UnsafeRawBufferPointer, _ body: (Entry?) -> Result) -> Result {
            self.withRoot { root in unsafe body(root.entry(of: key)) }
        }

        /// Calls `body` with the entry of each key, or nil, all from one state. As ``withEntry(_:_:)``.
        /// - Returns: the newest revision of that state.
        public func withEntries(_ keys: [[UInt8]], _ body: (Entry?) -> Void) -> UInt64 {
            self.withRoot { _ in
                let (root, revision) = self.index.publishedState
                for key in keys { unsafe key.withUnsafeBytes { unsafe body(root.entry(of: $0)) } }
                return revision
            }
        }

        /// Calls `body` with the entries from the first key that is not before `start` on, in order and all from one
        /// state, until it returns false. They are valid only during the call, and entries that are replaced meanwhile
        /// are kept until its end: walk in pages.
        public func walk(from start: UnsafeRawBufferPointer, _ body: (Entry) -> Bool) {
            self.withRoot { root in _ = unsafe root.walk(from: start, body) }
        }

        /// Calls `body` with the entries of a range that have not expired, in the order of their keys, or from the last one
        /// backwards, until it returns false. As ``walk(from:_:)``.
        /// - Parameters:
        ///   - now: entries with an expiry time up to this are left out; milliseconds since 1970.
        ///   - counted: a range of the same state in which keys are counted, without those that have expired.
        /// - Returns: the newest revision of that state, and the number of keys in `counted`.
        public func scan(
            _ range: KeyRange, isReversed: Bool, at now: UInt64, counting counted: KeyRange? = nil,
            _ body: (Entry) -> Bool
        ) -> (revision: UInt64, count: Int?) {
            self.withRoot { _ in
                let (root, revision) = self.index.publishedState
                unsafe range.withBounds { start, end in
                    if isReversed {
                        _ = unsafe root.walkBackward(before: end) { entry in
                            if unsafe KeyOrder.compare(entry.key, start) < 0 { return false }
                            return entry.hasExpired(at: now) || body(entry)
                        }
                    } else {
                        _ = unsafe root.walk(from: start) { entry in
                            if let end = unsafe end, unsafe KeyOrder.compare(entry.key, end) >= 0 { return false }
                            return entry.hasExpired(at: now) || body(entry)
                        }
                    }
                }
                var count: Int?
                unsafe counted?.withBounds { start, end in
                    count = unsafe root.countEntries(from: start, before: end, at: now)
                }
                return (revision, count)
            }
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
}
