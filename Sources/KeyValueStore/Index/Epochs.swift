import Synchronization

/// Tells the writer when no reader can still see what it replaced: epoch-based reclamation.
///
/// Two orders make it safe. The writer first publishes the new root, then ends the epoch; a reader first announces the
/// current epoch, then loads the root. All four operations are sequentially consistent. So a reader that announced a
/// later epoch than the one in which a node was replaced has loaded a root that does not reach that node; and a reader
/// whose announcement the writer's scan did not see loads its root after the scan, so it gets the new one.
///
///     writer                            reader
///     root = new                        slot = epoch
///     epoch += 1                        … reads from root
///     free what is older than           slot = none
///       all slots
final class Epochs: Sendable {
    /// One reader's announcement, on its own cache lines.
    final class Slot: Sendable {
        static let none = UInt64.max

        private let before = Padding()
        let epoch = Atomic<UInt64>(Slot.none)
        private let after = Padding()
    }

    private struct Padding: Sendable {
        let bytes: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
    }

    let current = Atomic<UInt64>(1)
    private let slots = Mutex<[Slot]>([])

    func makeSlot() -> Slot {
        let slot = Slot()
        self.slots.withLock { $0.append(slot) }
        return slot
    }

    func remove(_ slot: Slot) { self.slots.withLock { slots in slots.removeAll { $0 === slot } } }

    /// Ends the current epoch and returns the oldest epoch that a reader may still use.
    func advance() -> UInt64 {
        let next = self.current.add(1, ordering: .sequentiallyConsistent).newValue
        return self.slots.withLock { slots in
            slots.reduce(next) { min($0, $1.epoch.load(ordering: .sequentiallyConsistent)) }
        }
    }
}
