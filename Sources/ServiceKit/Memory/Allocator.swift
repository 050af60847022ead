import CAllocator

/// The allocator of the C library, which Swift's objects use as well. If the address space is limited, it has one pool
/// for all threads; see `CAllocator`.
public enum Allocator {
    /// Returns unused pages to the system. Threads that allocate wait meanwhile: tens of milliseconds if there are
    /// millions of free pieces.
    public static func giveBack() { allocator_give_back() }
}
