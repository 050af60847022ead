/// The list of the store's files: the small text file `MANIFEST`, replaced as a whole when a segment is added.
///
///     txlog-kv manifest 2
///     store 0b7f6a52-3c1d-4e8f-9a20-5d1c7e4f8b63
///     generation 2
///     base 1 last 1000000 length 67108104 seal 9f3c01aa
///     part 00000000000f4240-00000001.snapshot entries 52000 length 9437696 end 17c0ffee
///     sealed 0000000000000002.log last 2000000 length 67108211 seal 5b0e6d21
///     active 0000000000000003.log
///     closed last 1200345 length 9437264
///     imported 1834 5e0f3b21
///     crc32c 4c1d90ef
///
/// `base` (optional) is the last segment that a compaction has replaced; every live change up to it is in the parts of
/// the snapshot, or was changed again in a later segment. Before the first compaction has ended there may be parts
/// without a base.
///
/// A segment begins at the revision after the last one of the previous segment. Version 1 requires names that contain
/// that revision; a manifest with only such names is written as version 1.
///
/// The last line is the CRC-32C of all bytes before it. `closed` (optional) is the end of the active segment at the
/// last clean stop: later frames may follow it, and if earlier ones are missing, they were lost. `imported` (optional)
/// is the length and checksum of the `kv.log` with which the store began.
public struct Manifest: Equatable, Sendable {
    public struct Sealed: Equatable, Sendable {
        public var name: SegmentName
        public var lastRevision: UInt64
        public var lengthBytes: UInt64
        public var sealChecksum: UInt32

        public init(name: SegmentName, lastRevision: UInt64, lengthBytes: UInt64, sealChecksum: UInt32) {
            self.name = name
            self.lastRevision = lastRevision
            self.lengthBytes = lengthBytes
            self.sealChecksum = sealChecksum
        }

        /// As in the header of the next segment.
        public var asPredecessor: SegmentHeader.Predecessor {
            .init(
                sequence: self.name.sequence, lastRevision: self.lastRevision, lengthBytes: self.lengthBytes,
                sealChecksum: self.sealChecksum)
        }
    }

    public struct Part: Equatable, Sendable {
        public var name: PartName
        public var entries: UInt64
        public var lengthBytes: UInt64
        /// Checksum of the header of its last frame.
        public var endChecksum: UInt32
    }

    public struct Closed: Equatable, Sendable {
        public var lastRevision: UInt64
        public var lengthBytes: UInt64

        public init(lastRevision: UInt64, lengthBytes: UInt64) {
            self.lastRevision = lastRevision
            self.lengthBytes = lengthBytes
        }
    }

    public struct Imported: Equatable, Sendable {
        public var lengthBytes: UInt64
        public var checksum: UInt32

        public init(lengthBytes: UInt64, checksum: UInt32) {
            self.lengthBytes = lengthBytes
            self.checksum = checksum
        }
    }

    public static let fileName = "MANIFEST"
    public static let limitBytes = 64 << 20
    private static let firstLines = ["txlog-kv manifest 1", "txlog-kv manifest 2"]

    public var storeID: StoreID
    public var generation: UInt64
    /// The segment before the first listed one; none until a segment has been replaced.
    public var base = SegmentHeader.Predecessor.none
    public var parts: [Part] = []
    public var sealed: [Sealed]
    public var active: SegmentName
    public var closed: Closed?
    public var imported: Imported?

    /// Older parts first: if two parts contain a key, the later one has its later state.
    public var partsInOrder: [Part] { self.parts.sorted { $0.name < $1.name } }

    /// The first line of this manifest.
    private var firstLine: String {
        let names = self.sealed.map(\.name) + [self.active]
        return Self.firstLines[names.allSatisfy { $0.file.firstRevision != nil } ? 0 : 1]
    }

    public func encoded() -> [UInt8] {
        var text = "\(self.firstLine)\nstore \(self.storeID)\ngeneration \(self.generation)\n"
        if self.base != .none {
            text += "base \(self.base.sequence) last \(self.base.lastRevision) length \(self.base.lengthBytes)"
            text += " seal \(Self.hex(self.base.sealChecksum))\n"
        }
        for part in self.parts {
            text += "part \(part.name) entries \(part.entries) length \(part.lengthBytes)"
            text += " end \(Self.hex(part.endChecksum))\n"
        }
        for segment in self.sealed {
            text += "sealed \(segment.name) last \(segment.lastRevision) length \(segment.lengthBytes)"
            text += " seal \(Self.hex(segment.sealChecksum))\n"
        }
        text += "active \(self.active)\n"
        if let closed = self.closed { text += "closed last \(closed.lastRevision) length \(closed.lengthBytes)\n" }
        if let imported = self.imported { text += "imported \(imported.lengthBytes) \(Self.hex(imported.checksum))\n" }
        let checksum = CRC32C.of(Array(text.utf8))
        return Array("\(text)crc32c \(Self.hex(checksum))\n".utf8)
    }

    private static func hex(_ value: UInt32) -> String { String(hexadecimal(UInt64(value)).suffix(8)) }

    private static func damaged(_ detail: String) -> LogError {
        .corrupt(Corruption(file: Self.fileName, offset: 0, lastGoodRevision: 0, reason: .manifest(detail)))
    }

    /// The lines between the first one and the checksum, verified.
    private static func checkedLines(_ bytes: [UInt8]) throws(LogError) -> [Substring] {
        let text = String(decoding: bytes, as: UTF8.self)
        let trailerBytes = "crc32c 00000000\n".utf8.count
        guard bytes.count > trailerBytes,
            text.utf8.suffix(trailerBytes)
                .elementsEqual("crc32c \(Self.hex(CRC32C.of(bytes, in: 0..<bytes.count - trailerBytes)))\n".utf8)
        else { throw Self.damaged("it does not match its checksum") }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast(2)
        guard let firstLine = lines.popFirst() else { throw Self.damaged("it is empty") }
        if !Self.firstLines.contains(String(firstLine)) {
            throw .unsupported(file: Self.fileName, detail: String(firstLine))
        }
        return Array(lines)
    }

    /// - Throws: ``LogError/corrupt(_:)`` if the text is not exactly what ``encoded()`` writes.
    public init(decoding bytes: [UInt8]) throws(LogError) {
        var storeID: StoreID?
        var generation: UInt64?
        var active: SegmentFileName?
        /// That of the segment before the next line's.
        var lastRevision: UInt64 = 0
        self.sealed = []
        self.imported = nil
        for line in try Self.checkedLines(bytes) {
            let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            switch (words[0], words.count) {
            case ("store", 2): storeID = StoreID(words[1])
            case ("generation", 2): generation = UInt64(words[1])
            case ("active", 2): active = SegmentFileName(words[1])
            case ("closed", 5):
                guard let last = UInt64(words[2]), let length = UInt64(words[4]) else {
                    throw Self.damaged("the line '\(line)' is malformed")
                }
                self.closed = Closed(lastRevision: last, lengthBytes: length)
            case ("imported", 3):
                guard let length = UInt64(words[1]), let checksum = UInt32(words[2], radix: 16) else {
                    throw Self.damaged("the line '\(line)' is malformed")
                }
                self.imported = Imported(lengthBytes: length, checksum: checksum)
            case ("base", 8):
                guard let sequence = UInt64(words[1]), let last = UInt64(words[3]), let length = UInt64(words[5]),
                    let checksum = UInt32(words[7], radix: 16)
                else { throw Self.damaged("the line '\(line)' is malformed") }
                self.base = .init(
                    sequence: sequence, lastRevision: last, lengthBytes: length, sealChecksum: checksum)
                lastRevision = last
            case ("part", 8):
                guard let name = PartName(words[1]), let entries = UInt64(words[3]), let length = UInt64(words[5]),
                    let checksum = UInt32(words[7], radix: 16)
                else { throw Self.damaged("the line '\(line)' is malformed") }
                self.parts.append(Part(name: name, entries: entries, lengthBytes: length, endChecksum: checksum))
            case ("sealed", 8):
                guard let file = SegmentFileName(words[1]), let last = UInt64(words[3]), let length = UInt64(words[5]),
                    let checksum = UInt32(words[7], radix: 16)
                else { throw Self.damaged("the line '\(line)' is malformed") }
                self.sealed.append(
                    Sealed(
                        name: SegmentName(file, firstRevision: lastRevision &+ 1), lastRevision: last,
                        lengthBytes: length, sealChecksum: checksum))
                lastRevision = last
            default: throw .unsupported(file: Self.fileName, detail: "the line '\(line)' is unknown")
            }
        }
        guard let storeID, let generation, let active else { throw Self.damaged("a line is missing") }
        self.storeID = storeID
        self.generation = generation
        self.active = SegmentName(active, firstRevision: lastRevision &+ 1)
        if self.encoded() != bytes { throw Self.damaged("it is not in the form in which it is written") }
    }

    public init(
        storeID: StoreID, generation: UInt64, sealed: [Sealed], active: SegmentName, closed: Closed? = nil,
        imported: Imported? = nil
    ) {
        self.storeID = storeID
        self.generation = generation
        self.sealed = sealed
        self.active = active
        self.closed = closed
        self.imported = imported
    }
}
