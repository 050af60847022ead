import Glibc

/// A key that divides two children: the shortest prefix of the right one's first key that is greater than all keys of
/// the left one. Owned by the one node of the newest revision that contains it.
@safe struct Separator {
    let base: UnsafeMutableRawPointer

    init(_ base: UnsafeMutableRawPointer) { unsafe self.base = base }

    static func make(after left: UnsafeRawBufferPointer, upTo right: UnsafeRawBufferPointer) -> Separator {
        let length = unsafe KeyOrder.commonPrefix(left, right) + 1
        guard let base = unsafe Slabs.allocate(2 + length) else { failedAllocation("a separator of the index") }
        unsafe base.storeBytes(of: UInt16(length), as: UInt16.self)
        unsafe memcpy(base + 2, right.baseAddress!, length)
        return unsafe Separator(base)
    }

    var key: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: self.base + 2, count: Int(self.base.load(as: UInt16.self)))
    }

    private var byteCount: Int { unsafe 2 + self.key.count }

    /// The bytes that the allocator uses for it.
    var allocatedBytes: Int { Slabs.allocated(self.byteCount) }

    func free() { unsafe Slabs.free(self.base, self.byteCount) }
}
