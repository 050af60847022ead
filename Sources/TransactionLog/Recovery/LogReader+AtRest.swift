/// Files that do not change: parts of the snapshot and sealed segments, read in one pass without keeping anything.
extension LogReader {
    /// Called after each frame with the bytes read since the last call; returns whether to continue.
    typealias Pace = (UInt64) -> Bool

    /// Verifies a part of the snapshot against its checksums and the manifest.
    func verify(_ part: Manifest.Part, _ file: any File, storeID: StoreID, pace: Pace) throws(LogError) {
        var content = try PartReader(part, storeID: storeID, file: file)
        var offset: UInt64 = 0
        while try content.advance({ _, _ in }) {
            if !pace(content.offset - offset) { return }
            offset = content.offset
        }
    }

    /// Verifies a segment that has a successor.
    /// - Parameter predecessor: the segment before it; nil if it is not to be compared.
    /// - Returns: its entry for the manifest, computed from the file; nil if it was not read to its end.
    func verify(
        _ name: SegmentName, _ file: any File, storeID: StoreID, predecessor: SegmentHeader.Predecessor?, pace: Pace
    ) throws(LogError) -> Manifest.Sealed? {
        let lastGoodRevision = predecessor?.lastRevision ?? name.firstRevision - 1
        let header = try self.header(of: file, name, lastGoodRevision: lastGoodRevision)
        try self.check(header, name, storeID, predecessor)
        let size = try systemCall { () throws(SystemError) in try file.size() }
        var scan = SegmentScan(reader: SegmentReader(file: file, fileBytes: size, salt: header.salt), header: header)
        var offset: UInt64 = 0
        while try systemCall({ () throws(SystemError) in try scan.advance { _, _ in } }) {
            if !pace(scan.offset - offset) { return nil }
            offset = scan.offset
        }
        try self.requireSealedEnd(&scan, name)
        return scan.sealChecksum.map { checksum in
            Manifest.Sealed(
                name: name, lastRevision: scan.nextRevision - 1, lengthBytes: scan.offset, sealChecksum: checksum)
        }
    }
}
