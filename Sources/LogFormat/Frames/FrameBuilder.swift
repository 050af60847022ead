/// Collects the transactions of one group commit and builds a frame from them.
///
/// A transaction in the payload:
///
///     offset  size  field
///          0     1  operation count, 1 to 129: at most 128 and a receipt
///          1     7  zero
///          8     …  the operations
///
/// An operation:
///
///     offset  size  field
///          0     1  op: 1 set, 2 delete, 3 receipt, the last one of its transaction
///          1     1  flags: bit 0, an expiry time follows (of a set only); bit 1, the store made the
///                   delete because the key had expired; other bits are 0
///          2     2  key length in bytes
///          4     4  value length in bytes, 0 for a delete
///          8     8  only with bit 0: expiry, milliseconds since 1970, not 0
///          …     …  key, value, and a newline (0x0A)
///
/// A receipt says how a write with an idempotency key was answered: that is its key, and its value is the answer, in the
/// terms of the store. Receipts alone are the payload of a frame of type 7.
///
/// In a part of a snapshot the payload consists of entries: the revision that set the key, 8 bytes, then a set as
/// above.
///
/// The buffer is reused for each frame. Confined to the thread that writes the log.
public struct FrameBuilder: Sendable {
    /// With a receipt.
    public static let maximumOperationsPerTransaction = 129
    public static let maximumKeyBytes = Int(UInt16.max)
    public static var transactionHeaderBytes: Int { 8 }
    public static var operationHeaderBytes: Int { 8 }
    public static var entryRevisionBytes: Int { 8 }
    public static var expiryBytes: Int { 8 }
    /// Of a delete that the store made because the key had expired.
    static var expiryFlag: UInt8 { 2 }

    /// The frame so far: space for its header, then the payload.
    public private(set) var bytes: [UInt8] = []
    public private(set) var transactionCount = 0
    /// Without receipts.
    public private(set) var operationCount = 0
    private var receiptCount = 0
    /// The revision of the next transaction.
    public private(set) var nextRevision: UInt64 = 1
    private var firstRevision: UInt64 = 1
    private var segmentRevision: UInt64 = 0
    /// By how much the live bytes of the frame's own segment change once the frame is durable.
    public private(set) var liveBytes = 0
    /// The changes of live bytes of earlier revisions, likewise.
    public private(set) var earlierChanges: [LiveChange] = []
    private var openTransaction: (start: Int, operations: Int)?

    public init() {}

    public var isEmpty: Bool { self.transactionCount == 0 }
    public var payloadBytes: Int { self.bytes.count - FrameHeader.byteCount }

    /// - Parameter segmentRevision: the first revision of the segment that the frame is for: what replaces a record from
    ///   there on changes ``liveBytes``.
    public mutating func begin(firstRevision: UInt64, segmentRevision: UInt64 = 0) {
        self.bytes.removeAll(keepingCapacity: self.bytes.capacity <= 4 << 20)
        self.bytes.append(contentsOf: repeatElement(0, count: FrameHeader.byteCount))
        self.liveBytes = 0
        self.earlierChanges.removeAll(keepingCapacity: true)
        self.segmentRevision = segmentRevision
        self.transactionCount = 0
        self.operationCount = 0
        self.receiptCount = 0
        self.firstRevision = firstRevision
        self.nextRevision = firstRevision
        self.openTransaction = nil
    }

    /// Bytes that a transaction of one operation adds to the payload.
    public static func singleOperationBytes(key: Int, value: Int, hasExpiry: Bool = false) -> Int {
        Self.transactionHeaderBytes + Self.operationBytes(key: key, value: value, hasExpiry: hasExpiry)
    }

    /// Bytes that an operation adds to its transaction.
    public static func operationBytes(key: Int, value: Int, hasExpiry: Bool = false) -> Int {
        Self.operationHeaderBytes + (hasExpiry ? Self.expiryBytes : 0) + key + value + 1
    }

    public mutating func beginTransaction() {
        precondition(self.openTransaction == nil, "the transaction before is still open")
        self.openTransaction = (self.bytes.count, 0)
        // Its number of operations follows with the end.
        unsafe self.append(count: Self.transactionHeaderBytes) { unsafe $0.storeBytes(of: 0, as: UInt64.self) }
    }

    /// - Parameter expiresAt: milliseconds since 1970; 0 for never.
    public mutating func set(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, expiresAt: UInt64 = 0) {
        unsafe self.append(op: .set, key: key, value: value, expiresAt: expiresAt)
        self.liveBytes += LiveRecord.bytes(key: key.count, value: value.count, hasExpiry: expiresAt != 0)
    }

    /// - Parameter isExpiry: whether the store itself removes the key, because it has expired.
    public mutating func delete(key: UnsafeRawBufferPointer, isExpiry: Bool = false) {
        let none = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        unsafe self.append(op: .delete, key: key, value: none, isExpiry: isExpiry)
    }

    /// In the open transaction, behind its other operations; or in a frame of receipts alone.
    public mutating func receipt(key: UnsafeRawBufferPointer, content: UnsafeRawBufferPointer) {
        let isAlone = self.openTransaction == nil
        if isAlone { self.openTransaction = (self.bytes.count, 0) }
        unsafe self.append(op: .receipt, key: key, value: content)
        if isAlone { self.openTransaction = nil } else { self.receiptCount += 1 }
    }

    /// Records that the open transaction replaces or removes the record of this revision, with this many bytes as
    /// counted by ``LiveRecord/bytes(key:value:hasExpiry:)``.
    public mutating func replaces(revision: UInt64, bytes: Int) {
        if revision >= self.segmentRevision {
            self.liveBytes -= bytes
        } else {
            self.earlierChanges.append(LiveChange(revision: revision, bytes: -bytes))
        }
    }

    /// Ends the transaction and returns its revision.
    @discardableResult
    public mutating func endTransaction() -> UInt64 {
        guard let transaction = self.openTransaction else { preconditionFailure("no transaction is open") }
        precondition((1...Self.maximumOperationsPerTransaction).contains(transaction.operations))
        self.bytes[transaction.start] = UInt8(transaction.operations)
        self.openTransaction = nil
        self.transactionCount += 1
        self.operationCount += transaction.operations - self.receiptCount
        self.receiptCount = 0
        defer { self.nextRevision += 1 }
        return self.nextRevision
    }

    private mutating func append(
        op: OperationKind, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, expiresAt: UInt64 = 0,
        isExpiry: Bool = false
    ) {
        precondition(key.count <= Self.maximumKeyBytes && value.count <= FrameHeader.maximumPayloadBytes)
        let flags: UInt64 = expiresAt == 0 ? isExpiry ? UInt64(Self.expiryFlag) : 0 : 1
        let header = UInt64(op.rawValue) | flags << 8 | UInt64(key.count) << 16 | UInt64(value.count) << 32
        let count = Self.operationBytes(key: key.count, value: value.count, hasExpiry: expiresAt != 0)
        unsafe self.append(count: count) { target in
            unsafe target.storeBytes(of: header.littleEndian, as: UInt64.self)
            var keyStart = Self.operationHeaderBytes
            if expiresAt != 0 {
                unsafe target.storeBytes(of: expiresAt.littleEndian, toByteOffset: keyStart, as: UInt64.self)
                keyStart += Self.expiryBytes
            }
            let keyEnd = keyStart + key.count
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[keyStart..<keyEnd]).copyMemory(from: key)
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[keyEnd..<count - 1]).copyMemory(from: value)
            unsafe target[count - 1] = 0x0A
        }
        self.openTransaction!.operations += 1
    }

    /// Appends bytes, each of which `write` must initialize.
    private mutating func append(count: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) {
        self.bytes.append(addingCapacity: count) { space in
            // There is space for `count` bytes, and `write` has initialized them.
            unsafe space.withUnsafeMutableBufferPointer { buffer, initialized in
                unsafe write(UnsafeMutableRawBufferPointer(buffer))
                initialized = count
            }
        }
    }

    /// Adds one live entry to a frame of a snapshot.
    public mutating func entry(_ record: LiveRecord) {
        self.bytes.appendLittleEndian(record.revision)
        self.openTransaction = (self.bytes.count, 0)
        unsafe self.append(op: .set, key: record.key, value: record.value, expiresAt: record.expiresAt)
        self.openTransaction = nil
        self.transactionCount += 1
    }

    /// Completes ``bytes`` as the frame for the file at `fileOffset`, and returns the checksum of its header.
    public mutating func finish(
        kind: FrameHeader.Kind, salt: UInt32, fileOffset: UInt64, durableLength: UInt64, committedNanoseconds: UInt64
    ) -> UInt32 {
        precondition(self.openTransaction == nil, "a transaction is still open")
        let payload = self.payloadBytes
        precondition(payload <= FrameHeader.maximumPayloadBytes)
        let header = FrameHeader(
            kind: kind,
            payloadLength: UInt32(payload),
            firstRevision: self.firstRevision,
            durableLength: durableLength,
            committedNanoseconds: committedNanoseconds,
            transactionCount: UInt32(self.transactionCount),
            salt: salt,
            payloadChecksum: CRC32C.of(self.bytes, in: FrameHeader.byteCount..<self.bytes.count)
        )
        let padding = header.frameBytes - self.bytes.count
        self.bytes.append(contentsOf: repeatElement(0, count: padding))
        return header.store(into: &self.bytes, fileOffset: fileOffset)
    }
}

public enum OperationKind: UInt8, Sendable {
    case set = 1
    case delete = 2
    /// Of the transaction that it ends, or of an earlier one.
    case receipt = 3
}
