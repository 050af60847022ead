import CSystemSupport
import Glibc
import LogFormat

/// A key with its value and revision in one allocation:
///
///     offset  size  field
///          0     8  revision
///          8     4  lengths: of the value in the upper 21 bits, of the key in the lower 11; all bits set if one of
///                   the two does not fit
///         12     8  then only: length of the value, length of the key, 4 bytes each
///                   key
///                   value
///
/// Its creator writes an entry, the writer thread sets its revision, and it never changes after the index has published
/// it. First the command that contains it owns it, then the index, which frees it when no reader can see it any more.
@safe public struct Entry {
    private static let lengthsOffset = 8
    private static let headerBytes = 12
    private static let longHeaderBytes = 20

    let base: UnsafeMutableRawPointer

    init(_ base: UnsafeMutableRawPointer) { unsafe self.base = base }

    /// - Precondition: the key has at most 65,535 bytes and the value at most 2³² - 1.
    public static func make(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Entry {
        guard let entry = unsafe Self.makeIfPossible(key: key, value: value) else {
            failedAllocation("an entry of the index")
        }
        return entry
    }

    /// Nil if there is not enough memory.
    /// - Precondition: the key has at most 65,535 bytes and the value at most 2³² - 1.
    static func makeIfPossible(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Entry? {
        precondition(key.count <= Int(UInt16.max) && value.count <= Int(UInt32.max))
        // All bits of both lengths set stands for a long header, so a short one has no such value.
        let isShort = key.count < 1 << 11 && value.count < 1 << 21 - 1
        let header = isShort ? Self.headerBytes : Self.longHeaderBytes
        guard let base = unsafe Slabs.allocate(header + key.count + value.count) else { return nil }
        unsafe base.storeBytes(of: 0, as: UInt64.self)
        let lengths = isShort ? UInt32(value.count) << 11 | UInt32(key.count) : UInt32.max
        unsafe base.storeBytes(of: lengths, toByteOffset: Self.lengthsOffset, as: UInt32.self)
        if !isShort {
            unsafe base.storeBytes(of: UInt32(value.count), toByteOffset: Self.headerBytes, as: UInt32.self)
            unsafe base.storeBytes(of: UInt32(key.count), toByteOffset: Self.headerBytes + 4, as: UInt32.self)
        }
        if let bytes = key.baseAddress { unsafe memcpy(base + header, bytes, key.count) }
        if let bytes = value.baseAddress { unsafe memcpy(base + header + key.count, bytes, value.count) }
        return unsafe Entry(base)
    }

    public static func make(key: [UInt8], value: [UInt8]) -> Entry {
        unsafe key.withUnsafeBytes { key in
            unsafe value.withUnsafeBytes { value in unsafe Self.make(key: key, value: value) }
        }
    }

    /// The revision of the change that set the value; 0 until the writer thread has staged it.
    public var revision: UInt64 {
        get { unsafe self.base.load(as: UInt64.self) }
        nonmutating set { unsafe self.base.storeBytes(of: newValue, as: UInt64.self) }
    }

    private var counts: (header: Int, key: Int, value: Int) {
        let lengths = unsafe self.base.load(fromByteOffset: Self.lengthsOffset, as: UInt32.self)
        if lengths != UInt32.max { return (Self.headerBytes, Int(lengths & (1 << 11 - 1)), Int(lengths >> 11)) }
        let value = unsafe self.base.load(fromByteOffset: Self.headerBytes, as: UInt32.self)
        let key = unsafe self.base.load(fromByteOffset: Self.headerBytes + 4, as: UInt32.self)
        return (Self.longHeaderBytes, Int(key), Int(value))
    }

    public var valueCount: Int { self.counts.value }
    public var keyCount: Int { self.counts.key }

    public var key: UnsafeRawBufferPointer {
        let counts = self.counts
        return unsafe UnsafeRawBufferPointer(start: self.base + counts.header, count: counts.key)
    }

    public var value: UnsafeRawBufferPointer {
        let counts = self.counts
        return unsafe UnsafeRawBufferPointer(start: self.base + counts.header + counts.key, count: counts.value)
    }

    /// Loads what follows its first line while its key is compared.
    func prefetch() { unsafe cs_prefetch(self.base + Node.cacheLineBytes) }

    private var byteCount: Int {
        let counts = self.counts
        return counts.header + counts.key + counts.value
    }

    /// The bytes that the allocator uses for it.
    var allocatedBytes: Int { Slabs.allocated(self.byteCount) }

    public func free() { unsafe Slabs.free(self.base, self.byteCount) }
}

// Moves between threads as a value with one owner at a time; shared only after it has become immutable.
extension Entry: @unchecked Sendable {}

extension ReplacedRecord {
    init(_ entry: Entry) {
        self.init(revision: entry.revision, keyCount: entry.keyCount, valueCount: entry.valueCount)
    }
}
