import CSystemSupport
import Glibc
import LogFormat

/// A key with its value and revision in one allocation:
///
///     offset  size  field
///          0     8  revision
///          8     4  bit 31: it has an expiry time; lengths: of the value in the next 20 bits, of the key in the lower 11;
///                   all bits of the lengths set if one of the two does not fit
///         12     8  then only: length of the value, length of the key, 4 bytes each
///                8  only with bit 31: expiry time, milliseconds since 1970
///                4  only with bit 31: its place in the ``ExpiryQueue``, for the writer
///                   key
///                   value
///
/// Its creator writes an entry, the writer thread sets its revision, and it never changes after the index has published
/// it, except for that place. First the command that contains it owns it, then the index, which frees it when no reader can see it any more.
@safe public struct Entry {
    private static let lengthsOffset = 8
    private static let shortHeaderBytes = 12
    private static let longHeaderBytes = 20
    private static let expiryBytes = 12
    private static let expiryBit: UInt32 = 1 << 31
    private static let longLengths: UInt32 = 1 << 31 - 1

    let base: UnsafeMutableRawPointer

    init(_ base: UnsafeMutableRawPointer) { unsafe self.base = base }

    /// - Precondition: the key has at most 65,535 bytes and the value at most 2³² - 1.
    /// - Parameter expiresAt: milliseconds since 1970, or for an entry that is to be staged an ``Expiry/encoded``; 0 for
    ///   never.
    public static func make(
        key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, expiresAt: UInt64 = 0
    ) -> Entry {
        guard let entry = unsafe Self.makeIfPossible(key: key, value: value, expiresAt: expiresAt) else {
            failedAllocation("an entry of the index")
        }
        return entry
    }

    /// Nil if there is not enough memory.
    /// - Precondition: the key has at most 65,535 bytes and the value at most 2³² - 1.
    static func makeIfPossible(
        key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, expiresAt: UInt64 = 0
    ) -> Entry? {
        precondition(key.count <= Int(UInt16.max) && value.count <= Int(UInt32.max))
        // All bits of both lengths set stands for a long header, so a short one has no such value.
        let isShort = Self.isShort(key: key.count, value: value.count)
        let header = Self.headerBytes(key: key.count, value: value.count, hasExpiry: expiresAt != 0)
        guard let base = unsafe Slabs.allocate(header + key.count + value.count) else { return nil }
        unsafe base.storeBytes(of: 0, as: UInt64.self)
        let lengths =
            (isShort ? UInt32(value.count) << 11 | UInt32(key.count) : Self.longLengths)
            | (expiresAt != 0 ? Self.expiryBit : 0)
        unsafe base.storeBytes(of: lengths, toByteOffset: Self.lengthsOffset, as: UInt32.self)
        if !isShort {
            unsafe base.storeBytes(of: UInt32(value.count), toByteOffset: Self.shortHeaderBytes, as: UInt32.self)
            unsafe base.storeBytes(of: UInt32(key.count), toByteOffset: Self.shortHeaderBytes + 4, as: UInt32.self)
        }
        if expiresAt != 0 {
            unsafe base.storeBytes(of: expiresAt, toByteOffset: header - Self.expiryBytes, as: UInt64.self)
        }
        if let bytes = key.baseAddress { unsafe memcpy(base + header, bytes, key.count) }
        if let bytes = value.baseAddress { unsafe memcpy(base + header + key.count, bytes, value.count) }
        return unsafe Entry(base)
    }

    public static func make(key: [UInt8], value: [UInt8], expiresAt: UInt64 = 0) -> Entry {
        unsafe key.withUnsafeBytes { key in
            unsafe value.withUnsafeBytes { value in
                unsafe Self.make(key: key, value: value, expiresAt: expiresAt)
            }
        }
    }

    /// The revision of the change that set the value; 0 until the writer thread has staged it.
    public var revision: UInt64 {
        get { unsafe self.base.load(as: UInt64.self) }
        nonmutating set { unsafe self.base.storeBytes(of: newValue, as: UInt64.self) }
    }

    private var counts: (header: Int, key: Int, value: Int) {
        let word = unsafe self.base.load(fromByteOffset: Self.lengthsOffset, as: UInt32.self)
        let expiry = word & Self.expiryBit == 0 ? 0 : Self.expiryBytes
        let lengths = word & Self.longLengths
        if lengths != Self.longLengths {
            return (Self.shortHeaderBytes + expiry, Int(lengths & (1 << 11 - 1)), Int(lengths >> 11))
        }
        let value = unsafe self.base.load(fromByteOffset: Self.shortHeaderBytes, as: UInt32.self)
        let key = unsafe self.base.load(fromByteOffset: Self.shortHeaderBytes + 4, as: UInt32.self)
        return (Self.longHeaderBytes + expiry, Int(key), Int(value))
    }

    public var hasExpiry: Bool {
        unsafe self.base.load(fromByteOffset: Self.lengthsOffset, as: UInt32.self) & Self.expiryBit != 0
    }

    /// Milliseconds since 1970; 0 for never. The writer thread sets it with the revision.
    /// - Precondition: to be set, it was not 0.
    public var expiresAt: UInt64 {
        get {
            if !self.hasExpiry { return 0 }
            let offset = self.counts.header - Self.expiryBytes
            return unsafe self.base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        }
        nonmutating set {
            precondition(self.hasExpiry)
            let offset = self.counts.header - Self.expiryBytes
            unsafe self.base.storeBytes(of: newValue, toByteOffset: offset, as: UInt64.self)
        }
    }

    /// The same, but `.max` for never.
    var expiryOrMax: UInt64 { self.hasExpiry ? self.expiresAt : .max }

    public func hasExpired(by clock: StoreClock) -> Bool { self.hasExpiry && self.expiresAt <= clock.milliseconds() }

    /// - Parameter now: milliseconds since 1970.
    func hasExpired(at now: UInt64) -> Bool { self.expiryOrMax <= now }

    /// Its place in the ``ExpiryQueue``. Writer only.
    var expiryPlace: Int {
        get {
            let offset = self.counts.header - 4
            return Int(unsafe self.base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        nonmutating set {
            let offset = self.counts.header - 4
            unsafe self.base.storeBytes(of: UInt32(newValue), toByteOffset: offset, as: UInt32.self)
        }
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

    /// The bytes that the allocator uses for an entry with such lengths.
    static func allocatedBytes(key: Int, value: Int, hasExpiry: Bool) -> Int {
        Slabs.allocated(self.headerBytes(key: key, value: value, hasExpiry: hasExpiry) + key + value)
    }

    private static func isShort(key: Int, value: Int) -> Bool { key < 1 << 11 && value < 1 << 20 - 1 }

    private static func headerBytes(key: Int, value: Int, hasExpiry: Bool) -> Int {
        (self.isShort(key: key, value: value) ? self.shortHeaderBytes : self.longHeaderBytes)
            + (hasExpiry ? self.expiryBytes : 0)
    }

    /// The bytes that the allocator uses for it.
    var allocatedBytes: Int { Slabs.allocated(self.byteCount) }

    public func free() { unsafe Slabs.free(self.base, self.byteCount) }
}

extension Entry: Equatable {
    /// Whether they are the same memory.
    public static func == (one: Entry, other: Entry) -> Bool { unsafe one.base == other.base }
}

// Moves between threads as a value with one owner at a time; shared only after it has become immutable.
extension Entry: @unchecked Sendable {}

extension ReplacedRecord {
    init(_ entry: Entry) {
        self.init(
            revision: entry.revision, keyCount: entry.keyCount, valueCount: entry.valueCount,
            hasExpiry: entry.hasExpiry)
    }
}
