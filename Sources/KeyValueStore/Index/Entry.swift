import Glibc
import LogFormat

/// A key with its value and revision in one allocation: 16 bytes of header, the key, the value.
///
/// Its creator writes an entry, the writer thread sets its revision, and it never changes after the index has published
/// it. First the command that contains it owns it, then the index, which frees it when no reader can see it any more.
@safe package struct Entry {
    private static let headerBytes = 16

    let base: UnsafeMutableRawPointer

    init(_ base: UnsafeMutableRawPointer) { unsafe self.base = base }

    /// - Precondition: the key has at most 65,535 bytes and the value at most 2³² - 1.
    package static func make(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Entry {
        guard let entry = unsafe Self.makeIfPossible(key: key, value: value) else {
            failedAllocation("an entry of the index")
        }
        return entry
    }

    /// Nil if there is not enough memory.
    /// - Precondition: the key has at most 65,535 bytes and the value at most 2³² - 1.
    static func makeIfPossible(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Entry? {
        precondition(key.count <= Int(UInt16.max) && value.count <= Int(UInt32.max))
        guard let base = unsafe malloc(Self.headerBytes + key.count + value.count) else { return nil }
        unsafe base.storeBytes(of: 0, as: UInt64.self)
        unsafe base.storeBytes(of: UInt32(value.count), toByteOffset: 8, as: UInt32.self)
        unsafe base.storeBytes(of: UInt16(key.count), toByteOffset: 12, as: UInt16.self)
        unsafe base.storeBytes(of: 0, toByteOffset: 14, as: UInt16.self)
        if let bytes = key.baseAddress { unsafe memcpy(base + Self.headerBytes, bytes, key.count) }
        if let bytes = value.baseAddress { unsafe memcpy(base + Self.headerBytes + key.count, bytes, value.count) }
        return unsafe Entry(base)
    }

    package static func make(key: [UInt8], value: [UInt8]) -> Entry {
        unsafe key.withUnsafeBytes { key in
            unsafe value.withUnsafeBytes { value in unsafe Self.make(key: key, value: value) }
        }
    }

    /// The revision of the change that set the value; 0 until the writer thread has staged it.
    package var revision: UInt64 {
        get { unsafe self.base.load(as: UInt64.self) }
        nonmutating set { unsafe self.base.storeBytes(of: newValue, as: UInt64.self) }
    }

    package var valueCount: Int { unsafe Int(self.base.load(fromByteOffset: 8, as: UInt32.self)) }
    package var keyCount: Int { unsafe Int(self.base.load(fromByteOffset: 12, as: UInt16.self)) }

    package var key: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: self.base + Self.headerBytes, count: self.keyCount)
    }

    package var value: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: self.base + Self.headerBytes + self.keyCount, count: self.valueCount)
    }

    /// The bytes that the allocator uses for it.
    var allocatedBytes: Int { IndexMemory.allocated(Self.headerBytes + self.keyCount + self.valueCount) }

    package func free() { unsafe Glibc.free(self.base) }
}

// Moves between threads as a value with one owner at a time; shared only after it has become immutable.
extension Entry: @unchecked Sendable {}

extension ReplacedRecord {
    init(_ entry: Entry) {
        self.init(revision: entry.revision, keyCount: entry.keyCount, valueCount: entry.valueCount)
    }
}
