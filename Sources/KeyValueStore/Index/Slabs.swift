import Glibc
import Synchronization

/// The allocator of the index: for entries, nodes and separators. Any thread.
///
/// Memory comes from the system in slabs of 64 KiB at a time, each for pieces of one size. Sizes are multiples of 8 up to
/// 512 bytes, then of 16 and of 32; a piece has no header. The C library would need 8 bytes more for each, in steps of
/// 16. Larger allocations are the C library's. A slab without used pieces serves any size again; all but a few of these
/// are returned to the system.
///
/// Huge pages are not used. With them look-ups in 10,000,000 keys took a fifth less time, which is a hundredth of a
/// request; but on a virtual machine loading so many entries took from half to twice the time, because the first use of
/// a huge page can be slow, and the lock is held meanwhile.
enum Slabs {
    private static let shared = Mutex(SlabPool())

    /// Above this, the C library allocates.
    static let largestPieceBytes = 2_048

    /// Nil if there is not enough memory.
    static func allocate(_ bytes: Int) -> UnsafeMutableRawPointer? {
        if bytes > Self.largestPieceBytes { return unsafe malloc(bytes) }
        let size = Self.allocated(bytes)
        return unsafe Self.shared.withLock { unsafe $0.allocate(size) }
    }

    /// - Parameter bytes: as requested from ``allocate(_:)``.
    static func free(_ piece: UnsafeMutableRawPointer, _ bytes: Int) {
        if bytes > Self.largestPieceBytes { return unsafe Glibc.free(piece) }
        Self.shared.withLock { unsafe $0.free(piece) }
    }

    /// The bytes that an allocation of this size uses. The C library adds a header and has steps of 16.
    static func allocated(_ bytes: Int) -> Int {
        switch bytes {
        case ...512: max(8, (bytes + 7) & ~7)
        case ...1_024: (bytes + 15) & ~15
        case ...Self.largestPieceBytes: (bytes + 31) & ~31
        default: (bytes + 8 + 15) & ~15
        }
    }
}

/// 64 KiB at a multiple of that, for pieces of one size:
///
///     offset  size  field
///          0     8  the next slab of this size with room, or 0
///          8     8  the one before, or 0
///         16     4  offset of the first free piece, which contains the offset of the next one; 0 for none
///         20     4  offset behind the last piece that was ever used
///         24     4  used pieces
///         28     4  bytes of a piece
///        128        pieces
@safe private struct Slab: Equatable {
    static let byteCount = 64 << 10
    private static let headerBytes = 128

    let base: UnsafeMutableRawPointer

    init(_ base: UnsafeMutableRawPointer) { unsafe self.base = base }

    /// The slab of a piece, and the offset of the piece.
    static func of(_ piece: UnsafeMutableRawPointer) -> (slab: Slab, offset: UInt32) {
        let offset = Int(bitPattern: piece) & (Self.byteCount - 1)
        return unsafe (Slab(piece - offset), UInt32(offset))
    }

    static func == (left: Slab, right: Slab) -> Bool { unsafe left.base == right.base }

    func clear(size: Int) {
        self.next = nil
        self.previous = nil
        self.free = 0
        self.fresh = UInt32(Self.headerBytes)
        self.used = 0
        unsafe self.base.storeBytes(of: UInt32(size), toByteOffset: 28, as: UInt32.self)
    }

    var size: Int { unsafe Int(self.base.load(fromByteOffset: 28, as: UInt32.self)) }
    var hasRoom: Bool { self.free != 0 || Int(self.fresh) + self.size <= Self.byteCount }

    /// - Precondition: it has room.
    func take() -> UnsafeMutableRawPointer {
        let piece: UnsafeMutableRawPointer
        if self.free != 0 {
            unsafe piece = self.base + Int(self.free)
            unsafe self.free = piece.load(as: UInt32.self)
        } else {
            unsafe piece = self.base + Int(self.fresh)
            self.fresh += UInt32(self.size)
        }
        self.used += 1
        return unsafe piece
    }

    func putBack(_ offset: UInt32) {
        unsafe self.base.storeBytes(of: self.free, toByteOffset: Int(offset), as: UInt32.self)
        self.free = offset
        self.used -= 1
    }

    var next: Slab? {
        get { unsafe self.base.load(as: UnsafeMutableRawPointer?.self).map { unsafe Slab($0) } }
        nonmutating set { unsafe self.base.storeBytes(of: newValue?.base, as: UnsafeMutableRawPointer?.self) }
    }

    var previous: Slab? {
        get { unsafe self.base.load(fromByteOffset: 8, as: UnsafeMutableRawPointer?.self).map { unsafe Slab($0) } }
        nonmutating set {
            unsafe self.base.storeBytes(of: newValue?.base, toByteOffset: 8, as: UnsafeMutableRawPointer?.self)
        }
    }

    private var free: UInt32 {
        get { unsafe self.base.load(fromByteOffset: 16, as: UInt32.self) }
        nonmutating set { unsafe self.base.storeBytes(of: newValue, toByteOffset: 16, as: UInt32.self) }
    }

    private var fresh: UInt32 {
        get { unsafe self.base.load(fromByteOffset: 20, as: UInt32.self) }
        nonmutating set { unsafe self.base.storeBytes(of: newValue, toByteOffset: 20, as: UInt32.self) }
    }

    private(set) var used: UInt32 {
        get { unsafe self.base.load(fromByteOffset: 24, as: UInt32.self) }
        nonmutating set { unsafe self.base.storeBytes(of: newValue, toByteOffset: 24, as: UInt32.self) }
    }
}

// The lock of `Slabs` protects what is in it.
extension Slab: @unchecked Sendable {}

/// All slabs.
private struct SlabPool {
    private static let regionBytes = 2 << 20
    /// Unused slabs that keep their memory.
    private static let keptSlabs = 16

    /// By the size of their pieces in units of 8 bytes: the first slab with room.
    private var open = [Slab?](repeating: nil, count: Slabs.largestPieceBytes / 8 + 1)
    /// Slabs without a size. All but the first ``keptSlabs`` have no memory until they are used.
    private var unused: [Slab] = []

    mutating func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        guard let slab = self.open[size >> 3] ?? self.addSlab(size) else { return nil }
        let piece = unsafe slab.take()
        if !slab.hasRoom { self.close(slab) }
        return unsafe piece
    }

    mutating func free(_ piece: UnsafeMutableRawPointer) {
        let (slab, offset) = unsafe Slab.of(piece)
        // The slab with the least room comes first, so that others become empty.
        if !slab.hasRoom { self.open(slab) }
        slab.putBack(offset)
        if slab.used == 0 { self.giveBack(slab) }
    }

    // MARK: - Slabs with room

    private mutating func open(_ slab: Slab) {
        slab.next = self.open[slab.size >> 3]
        slab.previous = nil
        slab.next?.previous = slab
        self.open[slab.size >> 3] = slab
    }

    private mutating func close(_ slab: Slab) {
        slab.next?.previous = slab.previous
        if let previous = slab.previous {
            previous.next = slab.next
        } else {
            self.open[slab.size >> 3] = slab.next
        }
    }

    // MARK: - Slabs without a size

    private mutating func addSlab(_ size: Int) -> Slab? {
        if self.unused.isEmpty { self.addRegion() }
        guard let slab = self.unused.popLast() else { return nil }
        // All its pages at once, instead of an interruption for each. If the kernel cannot (before 5.14), these come.
        _ = unsafe madvise(slab.base, Slab.byteCount, MADV_POPULATE_WRITE)
        slab.clear(size: size)
        self.open(slab)
        return slab
    }

    /// The last slab of a size stays, because the next allocation needs it.
    private mutating func giveBack(_ slab: Slab) {
        if slab.next == nil && slab.previous == nil { return }
        self.close(slab)
        if self.unused.count >= Self.keptSlabs { _ = unsafe madvise(slab.base, Slab.byteCount, MADV_DONTNEED) }
        self.unused.append(slab)
    }

    /// Does nothing if there is not enough memory.
    private mutating func addRegion() {
        let mapped = unsafe mmap(nil, Self.regionBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let region = unsafe mapped, unsafe region != MAP_FAILED else { return }
        // Pages before the first multiple are never used, and need no memory.
        let first = -Int(bitPattern: region) & (Slab.byteCount - 1)
        for offset in stride(from: first, through: Self.regionBytes - Slab.byteCount, by: Slab.byteCount) {
            self.unused.append(unsafe Slab(region + offset))
        }
    }
}
