/// The first 4,096 bytes of a segment.
///
///     offset  size  field
///          0     8  magic "TXLOGSEG"; "TXLOGSNP" in a part of a snapshot, which begins with the same header
///          8     4  format version, 2; 1 in files of earlier programs, which have no expiry times and no receipts
///         12     4  header length in bytes, 4096
///         16    16  store id
///         32     8  sequence: 1, 2, 3 …; of a part its number
///         40     8  first revision that this segment can hold; of a part the revision that it goes up to
///         48     4  salt: random, repeated in each frame, so that bytes of another segment are never taken for ours
///         52     4  sync mode at creation: 0 always, 1 interval, 2 never
///         56     8  created, nanoseconds since 1970
///         64     8  predecessor: sequence, 0 when there is none
///         72     8  predecessor: last revision
///         80     8  predecessor: length in bytes, seal included
///         88     4  predecessor: header checksum of its seal frame
///         92     4  zero
///         96     8  prepared length: bytes that the file had, durably, before it got its name; 0 if unknown
///        104  3988  zero
///       4092     4  CRC-32C of bytes 0 to 4091
public struct SegmentHeader: Equatable, Sendable {
    public static let byteCount = 4096
    /// The version that is written. All up to it are read.
    public static let formatVersion: UInt32 = 2

    public enum Kind: Sendable {
        case segment, part

        fileprivate var magic: [UInt8] { Array((self == .segment ? "TXLOGSEG" : "TXLOGSNP").utf8) }
    }

    /// Links a segment to the previous one, so that a missing, shortened or swapped file is detected.
    public struct Predecessor: Equatable, Sendable {
        public var sequence: UInt64
        public var lastRevision: UInt64
        public var lengthBytes: UInt64
        public var sealChecksum: UInt32

        public static let none = Predecessor(sequence: 0, lastRevision: 0, lengthBytes: 0, sealChecksum: 0)

        public init(sequence: UInt64, lastRevision: UInt64, lengthBytes: UInt64, sealChecksum: UInt32) {
            self.sequence = sequence
            self.lastRevision = lastRevision
            self.lengthBytes = lengthBytes
            self.sealChecksum = sealChecksum
        }
    }

    public var kind = Kind.segment
    public var formatVersion = Self.formatVersion
    public var storeID: StoreID
    public var sequence: UInt64
    public var firstRevision: UInt64
    public var salt: UInt32
    public var syncModeCode: UInt32
    public var createdNanoseconds: UInt64
    public var predecessor: Predecessor
    /// A file with fewer bytes than this was truncated. 0 if unknown, as for parts and older segments.
    public var preparedBytes: UInt64 = 0

    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.byteCount)
        bytes.append(contentsOf: self.kind.magic)
        bytes.appendLittleEndian(self.formatVersion)
        bytes.appendLittleEndian(UInt32(Self.byteCount))
        bytes.appendLittleEndian(self.storeID.high)
        bytes.appendLittleEndian(self.storeID.low)
        bytes.appendLittleEndian(self.sequence)
        bytes.appendLittleEndian(self.firstRevision)
        bytes.appendLittleEndian(self.salt)
        bytes.appendLittleEndian(self.syncModeCode)
        bytes.appendLittleEndian(self.createdNanoseconds)
        bytes.appendLittleEndian(self.predecessor.sequence)
        bytes.appendLittleEndian(self.predecessor.lastRevision)
        bytes.appendLittleEndian(self.predecessor.lengthBytes)
        bytes.appendLittleEndian(self.predecessor.sealChecksum)
        bytes.appendLittleEndian(UInt32(0))
        bytes.appendLittleEndian(self.preparedBytes)
        bytes.append(contentsOf: [UInt8](repeating: 0, count: Self.byteCount - 4 - bytes.count))
        bytes.appendLittleEndian(CRC32C.of(bytes))
        return bytes
    }

    /// - Throws: ``LogError/corrupt(_:)`` or ``LogError/unsupported(file:detail:)``.
    public init(
        decoding bytes: [UInt8], as kind: Kind = .segment, file: String, lastGoodRevision: UInt64
    ) throws(LogError) {
        func damaged(_ detail: String, at offset: UInt64) -> LogError {
            .corrupt(
                Corruption(
                    file: file, offset: offset, lastGoodRevision: lastGoodRevision, reason: .segmentHeader(detail)))
        }
        if bytes.count < Self.byteCount { throw damaged("it has \(bytes.count) of 4096 bytes", at: 0) }
        if !bytes.starts(with: kind.magic) { throw damaged("it does not begin with the magic number", at: 0) }
        let checksum = CRC32C.of(bytes, in: 0..<Self.byteCount - 4)
        if bytes.loadLittleEndian(UInt32.self, at: Self.byteCount - 4) != checksum {
            throw damaged("it does not match its checksum", at: UInt64(Self.byteCount - 4))
        }
        let version = bytes.loadLittleEndian(UInt32.self, at: 8)
        if !(1...Self.formatVersion).contains(version) {
            throw .unsupported(file: file, detail: "format version \(version)")
        }
        if bytes.loadLittleEndian(UInt32.self, at: 12) != UInt32(Self.byteCount) {
            throw .unsupported(file: file, detail: "another header length")
        }
        self.kind = kind
        self.formatVersion = version
        self.storeID = StoreID(
            high: bytes.loadLittleEndian(UInt64.self, at: 16), low: bytes.loadLittleEndian(UInt64.self, at: 24))
        self.sequence = bytes.loadLittleEndian(UInt64.self, at: 32)
        self.firstRevision = bytes.loadLittleEndian(UInt64.self, at: 40)
        self.salt = bytes.loadLittleEndian(UInt32.self, at: 48)
        self.syncModeCode = bytes.loadLittleEndian(UInt32.self, at: 52)
        self.createdNanoseconds = bytes.loadLittleEndian(UInt64.self, at: 56)
        self.predecessor = Predecessor(
            sequence: bytes.loadLittleEndian(UInt64.self, at: 64),
            lastRevision: bytes.loadLittleEndian(UInt64.self, at: 72),
            lengthBytes: bytes.loadLittleEndian(UInt64.self, at: 80),
            sealChecksum: bytes.loadLittleEndian(UInt32.self, at: 88)
        )
        self.preparedBytes = bytes.loadLittleEndian(UInt64.self, at: 96)
    }

    public init(
        kind: Kind = .segment,
        formatVersion: UInt32 = Self.formatVersion,
        storeID: StoreID,
        sequence: UInt64,
        firstRevision: UInt64,
        salt: UInt32,
        syncModeCode: UInt32,
        createdNanoseconds: UInt64,
        predecessor: Predecessor,
        preparedBytes: UInt64 = 0
    ) {
        self.kind = kind
        self.formatVersion = formatVersion
        self.storeID = storeID
        self.sequence = sequence
        self.firstRevision = firstRevision
        self.salt = salt
        self.syncModeCode = syncModeCode
        self.createdNanoseconds = createdNanoseconds
        self.predecessor = predecessor
        self.preparedBytes = preparedBytes
    }
}
