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

        /// Calls `body` with the entries from the first key that is not before `start` on, in order and all from one
        /// state, until it returns false. They are valid only during the call, and entries that are replaced meanwhile
        /// are kept until its end: walk in pages.
        public func walk(from start: UnsafeRawBufferPointer, _ body: (Entry) -> Bool) {
            self.withRoot { root in _ = unsafe root.walk(from: start, body) }
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
