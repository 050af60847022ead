import LogFormat

/// A receipt as the content of an operation of the log: a byte for the kind of the answer, with the highest bit set if
/// its revision follows, which otherwise is that of its transaction; the fingerprint; the time; then the revision; then the
/// results of a transaction, without the values that its gets have found.
extension Receipt {
    /// Bytes of an encoded one in its transaction, at most.
    static func maximumBytes(results: Int) -> Int { 17 + 17 * results }

    private static let hasRevision: UInt8 = 0x80

    /// - Parameter inTransaction: whether it is in the transaction whose receipt it is.
    public func encoded(inTransaction: Bool) -> [UInt8] {
        var bytes: [UInt8] = [self.answer.kind | (inTransaction ? 0 : Self.hasRevision)]
        bytes.appendLittleEndian(self.fingerprint)
        bytes.appendLittleEndian(self.time)
        if !inTransaction { bytes.appendLittleEndian(self.revision) }
        if case .transaction(let results) = self.answer { for result in results { result.encode(into: &bytes) } }
        return bytes
    }

    /// - Parameter revision: of the transaction that it is in.
    /// - Returns: nil if the bytes are not those of a receipt, which only a bug of the writer can bring about.
    public init?(decoding content: UnsafeRawBufferPointer, revision: UInt64) {
        var reader = unsafe Reader(Array(content))
        guard let kind = reader.byte(), let fingerprint = reader.number(), let time = reader.number() else {
            return nil
        }
        self.fingerprint = fingerprint
        self.time = time
        if kind & Self.hasRevision != 0 {
            guard let own = reader.number() else { return nil }
            self.revision = own
        } else {
            self.revision = revision
        }
        switch kind & ~Self.hasRevision {
        case 1: self.answer = .set
        case 2: self.answer = .deleted
        case 3:
            var results: [Transaction.Result] = []
            while !reader.isAtEnd {
                guard let result = Transaction.Result(&reader) else { return nil }
                results.append(result)
            }
            self.answer = .transaction(results)
        default: return nil
        }
        if !reader.isAtEnd { return nil }
    }

    fileprivate struct Reader {
        private let bytes: [UInt8]
        private var offset = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { self.offset == self.bytes.count }

        mutating func byte() -> UInt8? {
            guard self.offset < self.bytes.count else { return nil }
            defer { self.offset += 1 }
            return self.bytes[self.offset]
        }

        mutating func number() -> UInt64? {
            guard self.bytes.count - self.offset >= 8 else { return nil }
            defer { self.offset += 8 }
            return self.bytes.loadLittleEndian(UInt64.self, at: self.offset)
        }

    }
}

extension Receipt.Answer {
    fileprivate var kind: UInt8 {
        switch self {
        case .set: 1
        case .deleted: 2
        case .transaction: 3
        }
    }

    /// As an estimate of its memory.
    var bytes: Int {
        if case .transaction(let results) = self { 64 * results.count } else { 0 }
    }
}

extension Transaction.Result {
    fileprivate func encode(into bytes: inout [UInt8]) {
        switch self {
        case .set(let expiresAt):
            bytes.append(1)
            bytes.appendLittleEndian(expiresAt)
        case .deleted: bytes.append(2)
        case .missing: bytes.append(3)
        case .value: preconditionFailure("receipts have no values")
        case .found(let revision, let expiresAt):
            bytes.append(4)
            bytes.appendLittleEndian(revision)
            bytes.appendLittleEndian(expiresAt)
        case .number(let number, let expiresAt):
            bytes.append(5)
            bytes.appendLittleEndian(UInt64(bitPattern: number))
            bytes.appendLittleEndian(expiresAt)
        }
    }

    fileprivate init?(_ reader: inout Receipt.Reader) {
        switch reader.byte() {
        case 1:
            guard let expiresAt = reader.number() else { return nil }
            self = .set(expiresAt: expiresAt)
        case 2: self = .deleted
        case 3: self = .missing
        case 4:
            guard let revision = reader.number(), let expiresAt = reader.number() else { return nil }
            self = .found(revision: revision, expiresAt: expiresAt)
        case 5:
            guard let number = reader.number(), let expiresAt = reader.number() else { return nil }
            self = .number(Int64(bitPattern: number), expiresAt: expiresAt)
        default: return nil
        }
    }
}
