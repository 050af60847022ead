import Glibc
import Synchronization

/// A small number for each thread, in the order in which threads first ask for theirs.
enum ThreadNumber {
    private static let next = Atomic<Int>(1)

    /// Where a thread keeps its number. POSIX allows at least 128 keys, and this is made once.
    static let key: pthread_key_t = {
        var key = pthread_key_t()
        let result = unsafe pthread_key_create(&key, nil)
        precondition(result == 0, "no key for thread numbers: errno \(result)")
        return key
    }()

    /// From 1 on. The pointer that POSIX keeps for the thread is the number itself and leads nowhere.
    static func current(_ key: pthread_key_t = ThreadNumber.key) -> Int {
        if let known = unsafe pthread_getspecific(key) {
            return Int(bitPattern: known)
        }
        let number = self.next.wrappingAdd(1, ordering: .relaxed).oldValue
        // Should this fail, the thread only gets a new number next time.
        unsafe _ = pthread_setspecific(key, UnsafeRawPointer(bitPattern: number))
        return number
    }
}
