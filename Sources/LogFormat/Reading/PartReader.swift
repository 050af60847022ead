public import DurableFiles

/// Reads one part of a snapshot in one pass and verifies all of it against the manifest.
public struct PartReader {
    private let name: PartName
    /// Nil without a manifest that records how the part ends.
    private let listed: Manifest.Part?
    private var reader: SegmentReader
    public private(set) var offset = UInt64(SegmentHeader.byteCount)
    public private(set) var entries: UInt64 = 0
    /// The part's entry for a manifest, after it was read to its end.
    public private(set) var found: Manifest.Part?

    public init(_ part: Manifest.Part, storeID: StoreID, file: any File) throws(LogError) {
        try self.init(part.name, listed: part, storeID: storeID, file: file)
    }

    public init(_ name: PartName, listed part: Manifest.Part?, storeID: StoreID, file: any File) throws(LogError) {
        self.name = name
        self.listed = part
        var bytes: [UInt8] = []
        let size = try systemCall { () throws(SystemError) in
            _ = try file.read(SegmentHeader.byteCount, at: 0, into: &bytes)
            return try file.size()
        }
        let header = try SegmentHeader(
            decoding: bytes, as: .part, file: name.description, lastGoodRevision: name.upTo)
        self.reader = SegmentReader(file: file, fileBytes: size, salt: header.salt)
        if header.storeID != storeID {
            throw self.damage(at: 16, .foreignSegment(expectedStore: storeID, foundStore: header.storeID))
        }
        if header.sequence != UInt64(name.number) || header.firstRevision != name.upTo {
            throw self.damage(at: 32, .snapshot("its header belongs to another part"))
        }
        if let part, size != part.lengthBytes {
            throw self.damage(at: min(size, part.lengthBytes), .snapshot("it has \(size) of \(part.lengthBytes) bytes"))
        }
    }

    /// Calls `body` with every entry in the order of the keys.
    mutating func readAll(_ body: (UInt64, LoggedOperation) -> Void) throws(LogError) {
        while try self.advance(body) {}
    }

    /// Calls `body` with the entries of the next frame.
    /// - Returns: false at the end.
    public mutating func advance(_ body: (UInt64, LoggedOperation) -> Void) throws(LogError) -> Bool {
        let expected = self.entries
        let result = try systemCall { () throws(SystemError) in
            unsafe try self.reader.frame(at: self.offset) { header, payload in
                if header.firstRevision != expected {
                    return .content("its first entry has number \(header.firstRevision) instead of \(expected)")
                }
                switch header.kind {
                case .entries: return unsafe FramePayload.forEachEntry(in: payload, header: header, body)
                case .partEnd: return unsafe payload.isEmpty ? nil : .content("the end of a part has a payload")
                default: return .content("a frame of type \(header.kind) is in a part of a snapshot")
                }
            }
        }
        let frame: FrameHeader
        switch result {
        case .success(let header): frame = header
        case .failure(let fault): throw self.damage(at: self.offset, .durableFrame(fault))
        }
        if frame.kind == .partEnd { try self.checkEnd(frame) }
        self.entries += UInt64(frame.transactionCount)
        self.offset += UInt64(frame.frameBytes)
        return frame.kind != .partEnd
    }

    private mutating func checkEnd(_ frame: FrameHeader) throws(LogError) {
        let checksum = try systemCall { () throws(SystemError) in try self.reader.headerChecksum(at: self.offset) }
        let found = Manifest.Part(
            name: self.name, entries: self.entries, lengthBytes: self.offset + UInt64(frame.frameBytes),
            endChecksum: checksum)
        self.found = found
        guard self.listed.map({ $0 == found }) ?? (found.lengthBytes == self.reader.fileBytes) else {
            throw self.endsOtherwise
        }
    }

    /// A reader that can continue behind the damaged frame at ``offset``.
    public var framesBehind: SegmentReader { self.reader }

    public var endsOtherwise: LogError {
        self.damage(at: self.offset, .snapshot("its end differs from the one in the MANIFEST"))
    }

    private func damage(at offset: UInt64, _ reason: Corruption.Reason) -> LogError {
        .corrupt(
            Corruption(
                file: self.name.description, offset: offset, lastGoodRevision: self.name.upTo,
                reason: reason))
    }
}
