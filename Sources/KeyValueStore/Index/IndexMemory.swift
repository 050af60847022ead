import Glibc
package import Synchronization

/// What the index takes of the process's memory, and up to where it may grow. The writer thread counts and asks, whoever
/// watches the process's memory sets the limit; any thread may read.
package final class IndexMemory: Sendable {
    /// Bytes of entries, nodes and separators, with what the allocator adds to each; also of those that have been
    /// replaced and may still be read.
    package let bytes = Atomic<Int>(0)
    /// A set that would take ``bytes`` above this is refused, unless it makes the index no larger.
    package let ceilingBytes = Atomic<Int>(.max)
    /// Sets that were refused for it.
    package let refusals = Atomic<UInt64>(0)

    package init() {}

    /// Whether the index may grow by so many bytes.
    func admits(_ growth: Int, from bytes: Int) -> Bool {
        growth <= 0 || bytes + growth <= self.ceilingBytes.load(ordering: .relaxed)
    }

    /// What the C library takes for an allocation of so many bytes: a header, in steps of 16, 32 at least.
    static func allocated(_ bytes: Int) -> Int { max(32, (bytes + 8 + 15) & ~15) }
}

/// An allocation of the index has failed, and what was to be stored cannot be refused any more: ends the process with a
/// word on standard error.
func failedAllocation(_ purpose: StaticString) -> Never {
    // Nothing here may allocate.
    func say(_ text: StaticString) { _ = unsafe write(2, text.utf8Start, text.utf8CodeUnitCount) }
    say("out of memory: none is left for ")
    say(purpose)
    say("; Docs/Runbook.md, MemoryNearLimit\n")
    abort()
}
