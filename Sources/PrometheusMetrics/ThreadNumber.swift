import Glibc
import Synchronization

/// A small number for each thread, in the order of their first calls.
enum ThreadNumber {
    private static let next = Atomic<Int>(1)

    /// The key under which a thread stores its number. POSIX allows at least 128 keys, and this is created once.
    static let key: pthread_key_t = {
        var key = pthread_key_t()
        let result = unsafe pthread_key_create(&key, nil)
        precondition(result == 0, "no key for thread numbers: errno \(result)")
        return key
    }()

    /// From 1 on. The stored pointer is the number itself and must not be dereferenced.
    static func current(_ key: pthread_key_t = ThreadNumber.key) -> Int {
        if let known = unsafe pthread_getspecific(key) {
            return Int(bitPattern: known)
        }
        let number = self.next.wrappingAdd(1, ordering: .relaxed).oldValue
        // If this fails, the thread only gets a new number next time.
        unsafe _ = pthread_setspecific(key, UnsafeRawPointer(bitPattern: number))
        return number
    }
}
