import LogFormat

/// The idempotency key of a write, and what else the write is known by.
public final class IdempotencyKey: Sendable {
    /// Limits of its length in bytes.
    public static let byteRange = 1...128

    public let bytes: [UInt8]
    /// Of the key, different in each process.
    let hash: UInt64
    /// Of the request, the same in each process: tells another request under the same key.
    public let fingerprint: UInt64

    /// - Parameter fingerprint: of everything that the write asks for.
    public init(_ bytes: [UInt8], fingerprint: Fingerprint) {
        precondition(Self.byteRange.contains(bytes.count))
        self.bytes = bytes
        self.hash = Self.hash(of: bytes)
        self.fingerprint = fingerprint.value
    }

    static func hash(of bytes: some Sequence<UInt8>) -> UInt64 {
        var hasher = Hasher()
        for byte in bytes { hasher.combine(byte) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// Tells requests from each other, by mistake but not by intent. To be fed with all parts of a request in order.
    public struct Fingerprint: Sendable {
        private var checksum = CRC32C()
        private var length: UInt64 = 0
        private var parts: UInt64 = 0

        public init() {}

        public mutating func add(_ bytes: UnsafeRawBufferPointer) {
            unsafe self.checksum.update(bytes)
            self.add(UInt64(bytes.count))
        }

        public mutating func add(_ bytes: [UInt8]) { unsafe bytes.withUnsafeBytes { unsafe self.add($0) } }

        public mutating func add(_ number: UInt64) {
            self.checksum.update(number)
            self.parts += 1
            self.length = (self.length &* 31 &+ number) & 0xFF_FFFF
        }

        public mutating func add(_ expiry: Expiry) { self.add(expiry.encoded) }

        public mutating func add(_ condition: WriteCondition) {
            switch condition {
            case .none: self.add(0)
            case .exists: self.add(1)
            case .absent: self.add(2)
            case .revision(let revision):
                self.add(3)
                self.add(revision)
            }
        }

        var value: UInt64 { UInt64(self.checksum.value) << 32 | self.length << 8 | self.parts & 0xFF }
    }
}

/// What became of a write with an idempotency key, as the log keeps it.
public struct Receipt: Sendable, Equatable {
    public enum Answer: Sendable, Equatable {
        case set
        case deleted
        case transaction([Transaction.Result])
    }

    public let fingerprint: UInt64
    public let revision: UInt64
    /// Milliseconds since 1970.
    public let time: UInt64
    public let answer: Answer

    /// So long it is kept.
    public static let windowMilliseconds: UInt64 = 600_000

    public init(fingerprint: UInt64, revision: UInt64, time: UInt64, answer: Answer) {
        self.fingerprint = fingerprint
        self.revision = revision
        self.time = time
        self.answer = answer
    }
}

/// The receipts of the last ten minutes, at most the newest 100,000, by idempotency key: with them a request that is
/// repeated is answered like the first time, and not carried out again. Only of writes that changed something.
///
/// Confined to the thread of the start during replay, then to the writer thread.
struct Receipts {
    static let windowMilliseconds = Receipt.windowMilliseconds
    static let maximumCount = 100_000
    /// Of all keys and answers together: the oldest are dropped beyond it.
    static let maximumBytes = 32 << 20

    private struct Kept {
        let key: [UInt8]
        let hash: UInt64
        let receipt: Receipt

        var bytes: Int { 96 + self.key.count + self.receipt.answer.bytes }
    }

    /// Oldest first; those before `start` are gone.
    private var kept: [Kept?] = []
    private var start = 0
    /// Places in `kept`, plus how many have been cut off its front, by the hash of the key.
    private var places: [UInt64: Int] = [:]
    private var cut = 0
    private var bytes = 0
    /// Of the current batch, at the end of `kept`.
    private var stagedCount = 0

    var count: Int { self.kept.count - self.start }

    func find(_ key: IdempotencyKey) -> Receipt? { self.places[key.hash].flatMap { self.kept[$0 - self.cut]?.receipt } }

    /// Adds the receipt of a write that has been staged.
    mutating func stage(_ key: IdempotencyKey, _ receipt: Receipt) {
        self.add(Kept(key: key.bytes, hash: key.hash, receipt: receipt))
        self.stagedCount += 1
    }

    private mutating func add(_ new: Kept) {
        self.places[new.hash] = self.cut + self.kept.count
        self.kept.append(new)
        self.bytes += new.bytes
    }

    /// The batch is durable.
    /// - Parameter now: milliseconds since 1970.
    mutating func commit(now: UInt64) {
        self.stagedCount = 0
        while self.start < self.kept.count, let oldest = self.kept[self.start],
            self.count > Self.maximumCount || self.bytes > Self.maximumBytes
                || oldest.receipt.time + Self.windowMilliseconds < now
        {
            // The same key may have been used again after its time.
            if self.places[oldest.hash] == self.cut + self.start { self.places[oldest.hash] = nil }
            self.bytes -= oldest.bytes
            self.kept[self.start] = nil
            self.start += 1
        }
        if self.start > 1_024, self.start > self.kept.count / 2 {
            self.kept.removeFirst(self.start)
            self.cut += self.start
            self.start = 0
        }
    }

    mutating func rollBack() {
        for _ in 0..<self.stagedCount {
            guard case let last?? = self.kept.popLast() else { preconditionFailure("a staged receipt is gone") }
            self.places[last.hash] = nil
            self.bytes -= last.bytes
        }
        self.stagedCount = 0
    }

    // MARK: - The log

    private var replayed: [Kept] { self.kept.compactMap { $0 } }

    /// Takes a receipt from the log. Those of a compaction come after newer ones: ``finishReplay(now:)`` sorts.
    mutating func replay(_ key: UnsafeRawBufferPointer, _ receipt: Receipt) {
        let bytes = unsafe Array(key)
        self.kept.append(Kept(key: bytes, hash: IdempotencyKey.hash(of: bytes), receipt: receipt))
        // What is too old at the end is also too old among more.
        if self.kept.count > 4 * Self.maximumCount { self.sortReplayed() }
    }

    mutating func finishReplay(now: UInt64) {
        self.sortReplayed()
        self.commit(now: now)
    }

    private mutating func sortReplayed() {
        var newest: [UInt64: Kept] = [:]
        for kept in self.replayed where (newest[kept.hash]?.receipt.revision ?? 0) <= kept.receipt.revision {
            newest[kept.hash] = kept
        }
        self = Receipts()
        let sorted = newest.values.sorted { $0.receipt.revision < $1.receipt.revision }
        for kept in sorted.suffix(Self.maximumCount) { self.add(kept) }
    }

    /// Writes receipts of revisions up to `revision` into a frame, for a compaction that removes the segments that have
    /// them now.
    /// - Parameter position: where to go on, 0 at first.
    /// - Returns: where to go on with the next frame; nil if there are no more.
    func write(from position: Int, upTo revision: UInt64, into frame: inout FrameBuilder, limitBytes: Int) -> Int? {
        for place in max(position - self.cut, self.start)..<self.kept.count {
            guard let kept = self.kept[place], kept.receipt.revision <= revision else { return nil }
            if frame.payloadBytes > limitBytes { return place + self.cut }
            let content = kept.receipt.encoded(inTransaction: false)
            unsafe kept.key.withUnsafeBytes { key in
                unsafe content.withUnsafeBytes { unsafe frame.receipt(key: key, content: $0) }
            }
        }
        return nil
    }
}
