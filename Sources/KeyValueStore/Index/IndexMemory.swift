import Glibc
public import Synchronization

/// The memory that the index uses, and its limit. The writer thread counts and checks, the watcher of the process's
/// memory sets the limit; any thread may read.
public final class IndexMemory: Sendable {
    /// Bytes of entries, nodes and separators, including the allocator's overhead and replaced ones that may still be
    /// read.
    public let bytes = Atomic<Int>(0)
    /// A set that would exceed this is refused, unless it does not make the index larger.
    public let ceilingBytes = Atomic<Int>(.max)
    /// Sets that were refused for that reason.
    public let refusals = Atomic<UInt64>(0)

    public init() {}

    /// Whether the index may grow by this many bytes.
    func admits(_ growth: Int, from bytes: Int) -> Bool {
        growth <= 0 || bytes + growth <= self.ceilingBytes.load(ordering: .relaxed)
    }
}

/// An allocation of the index has failed, and it is too late to refuse the write: prints a message to standard error
/// and ends the process.
func failedAllocation(_ purpose: StaticString) -> Never {
    // Nothing here may allocate.
    func say(_ text: StaticString) { _ = unsafe write(2, text.utf8Start, text.utf8CodeUnitCount) }
    say("out of memory: cannot allocate ")
    say(purpose)
    say("; see MemoryNearLimit in Docs/Runbook.md\n")
    abort()
}
