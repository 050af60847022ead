import CAllocator

/// The allocator of the C library, which Swift's objects come from as well. Where the address space is limited, it has one
/// pool for all threads; see `CAllocator`.
package enum Allocator {
    /// Gives pages that hold nothing back to the system. Other threads wait meanwhile when they allocate: tens of
    /// milliseconds with millions of free pieces.
    package static func giveBack() { allocator_give_back() }
}
