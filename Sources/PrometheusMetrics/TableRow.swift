import Glibc
import Synchronization

/// The row of a thread in every ``AtomicTable``: one of its own, or one that it may share with others.
///
/// Only the thread that owns a row changes it, so it need not do so atomically: readers see each word as it was before
/// or after a change.
struct TableRow: Equatable {
    /// Half of the rows are owned, the others are shared. As many as there are cores each, so that event loops rarely
    /// share one with another thread; at most eight. A power of two, so that a mask selects a shared row.
    static let ownedCount: Int = {
        let cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        var count = 1
        while count < 8 && count < cores {
            count *= 2
        }
        return count
    }()

    static let count = 2 * Self.ownedCount

    private static let claims = Atomic<Int>(0)
    private static let threads = Atomic<Int>(0)

    /// The key under which a thread stores its row. POSIX allows at least 128 keys, and this is created once.
    static let key: pthread_key_t = {
        var key = pthread_key_t()
        let result = unsafe pthread_key_create(&key, nil)
        precondition(result == 0, "no key for the rows of threads: errno \(result)")
        return key
    }()

    let index: Int

    var isOwned: Bool { self.index < Self.ownedCount }

    /// That of the calling thread. The stored pointer is the index, from 1 on, and must not be dereferenced.
    static func current(_ key: pthread_key_t) -> TableRow {
        if let known = unsafe pthread_getspecific(key) {
            return TableRow(index: Int(bitPattern: known) &- 1)
        }
        let number = self.threads.wrappingAdd(1, ordering: .relaxed).oldValue
        let row = TableRow(index: self.ownedCount + number & (self.ownedCount - 1))
        row.assign(key)
        return row
    }

    /// Gives the calling thread a row of its own for as long as the process runs, if one is left. For threads that count
    /// with every request.
    static func claim() {
        if self.current(self.key).isOwned { return }
        let number = self.claims.wrappingAdd(1, ordering: .relaxed).oldValue
        if number < self.ownedCount { TableRow(index: number).assign(self.key) }
    }

    private func assign(_ key: pthread_key_t) {
        // If this fails, the thread only gets another row next time.
        unsafe _ = pthread_setspecific(key, UnsafeRawPointer(bitPattern: self.index + 1))
    }
}
