/// Reads one part of a snapshot from front to back and checks all of it against what the manifest says.
struct PartReader {
    private let part: Manifest.Part
    private var reader: SegmentReader
    private(set) var offset = UInt64(SegmentHeader.byteCount)
    private var entries: UInt64 = 0

    init(_ part: Manifest.Part, storeID: StoreID, file: any File) throws(LogError) {
        self.part = part
        var bytes: [UInt8] = []
        let size = try systemCall { () throws(SystemError) in
            _ = try file.read(SegmentHeader.byteCount, at: 0, into: &bytes)
            return try file.size()
        }
        let header = try SegmentHeader(
            decoding: bytes, as: .part, file: part.name.description, lastGoodRevision: part.name.upTo)
        self.reader = SegmentReader(file: file, fileBytes: size, salt: header.salt)
        if header.storeID != storeID {
            throw self.damage(at: 16, .foreignSegment(expectedStore: storeID, foundStore: header.storeID))
        }
        if header.sequence != UInt64(part.name.number) || header.firstRevision != part.name.upTo {
            throw self.damage(at: 32, .snapshot("its header is that of another part"))
        }
        if size != part.lengthBytes {
            throw self.damage(at: min(size, part.lengthBytes), .snapshot("it has \(size) of \(part.lengthBytes) bytes"))
        }
    }

    /// Gives every entry in the order of the keys.
    mutating func readAll(_ body: (UInt64, LoggedOperation) -> Void) throws(LogError) {
        while try self.advance(body) {}
    }

    /// Gives the entries of the next frame.
    /// - Returns: false when that was the end.
    mutating func advance(_ body: (UInt64, LoggedOperation) -> Void) throws(LogError) -> Bool {
        let expected = self.entries
        let result = try systemCall { () throws(SystemError) in
            unsafe try self.reader.frame(at: self.offset) { header, payload in
                if header.firstRevision != expected {
                    return .content("its first entry is number \(header.firstRevision) where \(expected) is due")
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
        guard checksum == self.part.endChecksum, self.entries == self.part.entries,
            self.offset + UInt64(frame.frameBytes) == self.part.lengthBytes
        else { throw self.damage(at: self.offset, .snapshot("the MANIFEST says that it ends otherwise")) }
    }

    private func damage(at offset: UInt64, _ reason: Corruption.Reason) -> LogError {
        .corrupt(
            Corruption(
                file: self.part.name.description, offset: offset, lastGoodRevision: self.part.name.upTo,
                reason: reason))
    }
}
