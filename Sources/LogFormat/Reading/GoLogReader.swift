public import DurableFiles

/// Reads the records of the Go system's `kv.log` one after another.
public struct GoLogReader {
    private static let maximumHeadBytes = 40
    private static let chunkBytes = 1 << 20

    public struct Record {
        public var isDelete: Bool
        public var key: Range<Int>
        public var value: Range<Int>
    }

    private let file: any File
    private let fileBytes: UInt64
    private var buffer: [UInt8] = []
    private var position = 0
    private var bufferStart: UInt64 = 0
    /// Records so far, and their bytes in the file.
    public private(set) var count: UInt64 = 0
    public private(set) var offset: UInt64 = 0
    /// Of all bytes read so far; of the whole file after ``next()`` has returned nil.
    public private(set) var checksum = CRC32C()

    public init(file: any File, fileBytes: UInt64) {
        self.file = file
        self.fileBytes = fileBytes
    }

    /// The next record, as ranges for ``withBytes(of:_:)``; nil at the end, also before a torn last record.
    public mutating func next() throws(LogError) -> Record? {
        try self.fill(Self.maximumHeadBytes)
        if self.position == self.buffer.count { return nil }
        let head = self.buffer[self.position..<min(self.buffer.count, self.position + Self.maximumHeadBytes)]
        let spaces = head.indices.filter { head[$0] == 0x20 }.prefix(3)
        if spaces.count < 3 {
            if self.bufferStart + UInt64(self.buffer.count) == self.fileBytes, head.count < Self.maximumHeadBytes,
                Self.couldBeginRecord(head)
            {
                return nil
            }
            throw self.damaged("no record begins here")
        }
        let isDelete: Bool
        switch String(decoding: head[..<spaces[0]], as: UTF8.self) {
        case "set": isDelete = false
        case "delete": isDelete = true
        default: throw self.damaged("no record begins here")
        }
        guard let keyBytes = Self.length(head[(spaces[0] + 1)..<spaces[1]], limit: FrameBuilder.maximumKeyBytes),
            let valueBytes = Self.length(
                head[(spaces[1] + 1)..<spaces[2]], limit: FrameHeader.maximumPayloadBytes / 2),
            keyBytes > 0, !isDelete || valueBytes == 0
        else { throw self.damaged("a length is malformed or out of bounds") }
        let headBytes = spaces[2] + 1 - self.position
        let recordBytes = headBytes + keyBytes + valueBytes + 1
        try self.fill(recordBytes)
        if self.buffer.count - self.position < recordBytes { return nil }
        let key = self.position + headBytes..<self.position + headBytes + keyBytes
        let value = key.upperBound..<key.upperBound + valueBytes
        if self.buffer[value.upperBound] != 0x0A { throw self.damaged("the record does not end with a newline") }
        self.position = value.upperBound + 1
        self.offset += UInt64(recordBytes)
        self.count += 1
        return Record(isDelete: isDelete, key: key, value: value)
    }

    public func withBytes(of record: Record, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void) {
        unsafe self.buffer.withUnsafeBytes {
            unsafe body(
                UnsafeRawBufferPointer(rebasing: $0[record.key]), UnsafeRawBufferPointer(rebasing: $0[record.value]))
        }
    }

    /// Makes `count` bytes from the position available, or the rest of the file.
    private mutating func fill(_ count: Int) throws(LogError) {
        if self.buffer.count - self.position >= count { return }
        self.buffer.removeFirst(self.position)
        self.bufferStart += UInt64(self.position)
        self.position = 0
        while self.buffer.count < count {
            let before = self.buffer.count
            let start = self.bufferStart + UInt64(before)
            // Never more than the rest of the file, whatever length a record states.
            let rest = self.fileBytes > start ? self.fileBytes - start : 0
            let wanted = Int(min(UInt64(max(Self.chunkBytes, count - before)), rest))
            if wanted == 0 { return }
            do { _ = try self.file.read(wanted, at: start, into: &self.buffer) } catch { throw .system(error) }
            if self.buffer.count == before { return }
            unsafe self.buffer.withUnsafeBytes {
                unsafe self.checksum.update(UnsafeRawBufferPointer(rebasing: $0[before...]))
            }
        }
    }

    /// Whether bytes at the end of the file can be the beginning of a record's head.
    private static func couldBeginRecord(_ head: ArraySlice<UInt8>) -> Bool {
        let text = String(decoding: head, as: UTF8.self)
        for op in ["set ", "delete "] {
            if op.hasPrefix(text) { return true }
            if text.hasPrefix(op) {
                return text.dropFirst(op.count).allSatisfy { $0.isASCII && ($0.isNumber || $0 == " ") }
            }
        }
        return false
    }

    /// Decimal digits only: no sign, no leading zeros except a single 0.
    private static func length(_ digits: ArraySlice<UInt8>, limit: Int) -> Int? {
        guard (1...9).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.count == 1 || digits.first != 0x30
        else { return nil }
        let value = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        return value <= limit ? value : nil
    }

    private func damaged(_ detail: String) -> LogError {
        .corrupt(
            Corruption(
                file: LogPaths.importName, offset: self.offset, lastGoodRevision: self.count,
                reason: .importedLog(detail)))
    }
}
