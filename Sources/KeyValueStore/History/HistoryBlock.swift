import Glibc
import Synchronization

/// A piece of the memory of a ``ChangeHistory``: committed transactions, one after the other, each as written by
/// ``ChangeRecord``. Written by one thread; any thread may read what is published, which never changes.
@safe final class HistoryBlock: @unchecked Sendable {
    // `@unchecked`: the stored `var`s belong to the writer; readers use `published` and the bytes before it.

    /// Blocks are numbered without a gap.
    let number: UInt64
    /// The revision of the first change.
    let firstRevision: UInt64
    let bytes: UnsafeMutableRawBufferPointer
    let byteCount: Int
    /// Bytes from the start that readers may read.
    let published = Atomic<Int>(0)

    /// Writer: the end of the staged transactions.
    var end = 0
    /// Writer: the newest staged and the newest published revision.
    var stagedRevision: UInt64 = 0
    var publishedRevision: UInt64 = 0
    /// Writer: whether readers find it.
    var isListed = false

    /// Nil if there is not enough memory.
    init?(number: UInt64, firstRevision: UInt64, byteCount: Int) {
        guard let base = unsafe malloc(byteCount) else { return nil }
        self.number = number
        self.firstRevision = firstRevision
        self.byteCount = byteCount
        unsafe self.bytes = UnsafeMutableRawBufferPointer(start: base, count: byteCount)
    }

    deinit { unsafe free(self.bytes.baseAddress) }

    /// The transaction at `offset`, which is published.
    func transaction(at offset: Int) -> CommittedTransaction {
        unsafe CommittedTransaction(UnsafeRawPointer(self.bytes.baseAddress!) + offset)
    }

    func publish() {
        self.publishedRevision = self.stagedRevision
        self.published.store(self.end, ordering: .releasing)
    }

    /// Forgets what is not published.
    func rollBack() {
        self.end = self.published.load(ordering: .relaxed)
        self.stagedRevision = self.publishedRevision
    }

    /// The place of the first published transaction with a change after `revision`.
    func offset(after revision: UInt64) -> Int {
        let end = self.published.load(ordering: .acquiring)
        var offset = 0
        while offset < end {
            let transaction = self.transaction(at: offset)
            if transaction.revision > revision { break }
            offset += transaction.byteCount
        }
        return offset
    }
}

/// The layout of a transaction in a ``HistoryBlock``, in the byte order of the machine:
///
///     offset  size  field
///          0     4  length of the transaction in bytes, a multiple of 8
///          4     4  number of changes
///          8     8  revision of the last change
///         16     …  changes
///
/// A change:
///
///     offset  size  field
///          0     8  revision
///          8     8  expiry, milliseconds since 1970; 0 for none
///         16     8  revision of the previous value; 0 without one
///         24     4  length of the value
///         28     4  length of the previous value
///         32     4  length of the key
///         36     1  1 set, 2 delete, 3 delete of an expired key
///         40     …  key, value, previous value, and what is missing to a multiple of 8
enum ChangeRecord {
    static let transactionHeaderBytes = 16
    static let headerBytes = 40

    static func padded(_ count: Int) -> Int { (count + 7) & ~7 }
}

/// What one transaction has changed. Valid only during the call that receives it.
@safe public struct CommittedTransaction {
    private let base: UnsafeRawPointer

    init(_ base: UnsafeRawPointer) { unsafe self.base = base }

    /// What it takes of the history.
    public var byteCount: Int { unsafe Int(self.base.load(as: UInt32.self)) }
    /// That of its last change.
    public var revision: UInt64 { unsafe self.base.load(fromByteOffset: 8, as: UInt64.self) }

    /// Calls `body` with its changes, in order.
    public func forEachChange(_ body: (CommittedChange) -> Void) {
        var offset = ChangeRecord.transactionHeaderBytes
        for _ in 0..<(unsafe self.base.load(fromByteOffset: 4, as: UInt32.self)) {
            let change = unsafe CommittedChange(self.base + offset)
            body(change)
            offset += change.byteCount
        }
    }
}

/// One change of a transaction. Valid only during the call that receives it.
@safe public struct CommittedChange {
    public enum Kind: UInt8, Sendable {
        case set = 1
        case delete = 2
        /// The store itself has removed the key, because its time had come.
        case expiry = 3
    }

    private let base: UnsafeRawPointer

    init(_ base: UnsafeRawPointer) { unsafe self.base = base }

    public var revision: UInt64 { unsafe self.base.load(as: UInt64.self) }
    /// When the key expires: milliseconds since 1970.
    public var expiresAt: UInt64? {
        let time = unsafe self.base.load(fromByteOffset: 8, as: UInt64.self)
        return time == 0 ? nil : time
    }

    private func count(_ offset: Int) -> Int { unsafe Int(self.base.load(fromByteOffset: offset, as: UInt32.self)) }
    private var valueCount: Int { self.count(24) }
    private var previousCount: Int { self.count(28) }
    private var keyCount: Int { self.count(32) }

    var byteCount: Int {
        ChangeRecord.padded(ChangeRecord.headerBytes + self.keyCount + self.valueCount + self.previousCount)
    }

    public var kind: Kind {
        guard let kind = unsafe Kind(rawValue: self.base.load(fromByteOffset: 36, as: UInt8.self)) else {
            preconditionFailure("a change of no kind")
        }
        return kind
    }

    public var key: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: self.base + ChangeRecord.headerBytes, count: self.keyCount)
    }

    /// Empty for a delete.
    public var value: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(
            start: self.base + ChangeRecord.headerBytes + self.keyCount, count: self.valueCount)
    }

    /// What the key had before; nil if it did not exist.
    public var previous: (value: UnsafeRawBufferPointer, revision: UInt64)? {
        let revision = unsafe self.base.load(fromByteOffset: 16, as: UInt64.self)
        if revision == 0 { return nil }
        let start = ChangeRecord.headerBytes + self.keyCount + self.valueCount
        return unsafe (UnsafeRawBufferPointer(start: self.base + start, count: self.previousCount), revision)
    }
}
