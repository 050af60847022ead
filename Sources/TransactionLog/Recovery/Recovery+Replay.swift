/// The segments of a store, from the first to the last.
extension Recovery {
    mutating func replay(_ manifest: Manifest, _ folder: Folder) throws(LogError) -> SegmentChain {
        let listed = manifest
        var manifest = manifest
        self.report.storeID = manifest.storeID
        var names = manifest.sealed.map(\.name) + [manifest.active]
        let next = manifest.active.sequence + 1
        if let added = folder.segments.first(where: { $0.sequence == next }) { names.append(added) }
        try self.checkPresence(names, manifest, folder)
        self.bytesTotal = try self.totalBytes(names) + manifest.parts.reduce(0) { $0 + $1.lengthBytes }
        for name in names {
            self.report.space.begin(
                segment: SegmentSummary(
                    name: name, sizeBytes: 0, lastRevision: name.firstRevision - 1, sealed: name != names.last))
        }
        try self.loadSnapshot(manifest)
        var predecessor = manifest.base
        self.report.lastRevision = predecessor.lastRevision
        for (index, name) in names.enumerated() {
            let isLast = index == names.count - 1
            let known = manifest.sealed.first { $0.name == name }
            let segment = try self.replay(name, storeID: manifest.storeID, predecessor: predecessor, isLast: isLast)
            self.report.space.update(
                at: index, sizeBytes: segment.end, lastRevision: segment.nextRevision - 1, sealed: !isLast)
            self.compare(segment, name, with: manifest)
            if isLast { return try self.resume(segment, manifest, isListed: manifest == listed) }
            guard let sealChecksum = segment.sealChecksum else { preconditionFailure("only the last is not sealed") }
            let sealed = Manifest.Sealed(
                name: name, lastRevision: segment.nextRevision - 1, lengthBytes: segment.end,
                sealChecksum: sealChecksum)
            if let known, known != sealed {
                throw self.damage(name, at: segment.end, .predecessor("the MANIFEST says that it ends otherwise"))
            }
            if known == nil {
                manifest.sealed.append(sealed)
                manifest.active = names[index + 1]
                manifest.closed = nil
            }
            predecessor = SegmentHeader.Predecessor(
                sequence: name.sequence, lastRevision: sealed.lastRevision, lengthBytes: sealed.lengthBytes,
                sealChecksum: sealChecksum)
            segment.file.close()
        }
        preconditionFailure("a log has at least one segment")
    }

    /// Everything that is listed must be there. What the snapshot has replaced is removed if a crash has left it, and
    /// so are parts that are not listed; any other segment is none of this log.
    private func checkPresence(
        _ names: [SegmentName], _ manifest: Manifest, _ folder: Folder
    ) throws(LogError) {
        for name in names where !folder.segments.contains(name) {
            throw self.damage(name, at: 0, .missingSegment(sequence: name.sequence))
        }
        for part in manifest.parts where !folder.parts.contains(part.name) {
            throw .corrupt(
                Corruption(
                    file: part.name.description, offset: 0, lastGoodRevision: 0, reason: .missingPart))
        }
        let replaced = folder.segments.filter { !names.contains($0) && $0.sequence <= manifest.base.sequence }
        for name in folder.segments where !names.contains(name) && !replaced.contains(name) {
            throw self.damage(name, at: 0, .unexpectedSegment(sequence: name.sequence))
        }
        let listed = Set(manifest.parts.map(\.name))
        let leftovers =
            replaced.map(self.paths.segment) + folder.parts.filter { !listed.contains($0) }.map(self.paths.part)
        for path in leftovers {
            try systemCall { () throws(SystemError) in try self.fileSystem.remove(path) }
        }
    }

    // MARK: - The snapshot

    /// Gives the entries of all parts, older parts first: where two hold a key, the later one has its later state.
    private mutating func loadSnapshot(_ manifest: Manifest) throws(LogError) {
        self.report.space.set(parts: manifest.parts)
        let apply = self.apply
        for part in manifest.parts.sorted(by: { $0.name < $1.name }) {
            let file = try systemCall { () throws(SystemError) in
                try self.fileSystem.open(self.paths.part(part.name), .read)
            }
            defer { file.close() }
            var reader = try PartReader(part, storeID: manifest.storeID, file: file)
            let bytesBefore = self.report.bytesRead
            var more = true
            while more {
                var lastKey: [UInt8] = []
                more = try reader.advance { version, operation in
                    self.report.space.count(version, operation, replacing: apply(version, operation))
                    self.report.snapshotEntries += 1
                    unsafe lastKey = Array(operation.key)
                }
                if !lastKey.isEmpty { self.lastKeys[part.name] = lastKey }
                self.report.bytesRead = bytesBefore + reader.offset
                self.tellProgress()
            }
        }
    }

    private func tellProgress() {
        self.progress(
            ReplayProgress(
                bytesRead: self.report.bytesRead, bytesTotal: self.bytesTotal,
                transactions: self.report.transactions))
    }

    // MARK: - A segment

    private func totalBytes(_ names: [SegmentName]) throws(LogError) -> UInt64 {
        var total: UInt64 = 0
        for name in names {
            total += try systemCall { () throws(SystemError) in
                let file = try self.fileSystem.open(self.paths.segment(name), .read)
                defer { file.close() }
                return try file.size()
            }
        }
        return total
    }

    struct ReplayedSegment {
        var file: any File
        var header: SegmentHeader
        /// Offset after the last good frame, and the checksum of that frame's header if it is a seal.
        var end: UInt64
        var sealChecksum: UInt32?
        var nextRevision: UInt64
        var needsNewSegment: Bool
    }

    private mutating func replay(
        _ name: SegmentName, storeID: StoreID, predecessor: SegmentHeader.Predecessor, isLast: Bool
    ) throws(LogError) -> ReplayedSegment {
        let path = self.paths.segment(name)
        let file = try systemCall { () throws(SystemError) in
            let file = try self.fileSystem.open(path, isLast ? .readWrite : .read)
            if isLast {
                // If a sync of the process before has failed, the cache shows frames that the device does not hold,
                // and this sync does not write them: read what is there.
                try file.synchronize()
                try file.forgetCache()
            }
            return file
        }
        let size = try systemCall { () throws(SystemError) in try file.size() }
        let header = try self.readHeader(file, name)
        try self.check(header, name, storeID, predecessor)
        var scan = SegmentScan(reader: SegmentReader(file: file, fileBytes: size, salt: header.salt), header: header)
        let (bytesBefore, transactionsBefore) = (self.report.bytesRead, self.report.transactions)
        let apply = self.apply
        while true {
            let more = try systemCall { () throws(SystemError) in
                try scan.advance { revision, operation in
                    self.report.space.count(revision, operation, replacing: apply(revision, operation))
                }
            }
            self.report.bytesRead = bytesBefore + scan.offset
            self.report.transactions = transactionsBefore + scan.nextRevision - header.firstRevision
            self.report.lastRevision = scan.nextRevision - 1
            self.tellProgress()
            if !more { break }
        }
        self.report.operations += scan.operations
        self.report.wasCleanShutdown = scan.lastKind == .cleanShutdown
        var segment = ReplayedSegment(
            file: file, header: header, end: scan.offset, sealChecksum: scan.sealChecksum,
            nextRevision: scan.nextRevision, needsNewSegment: false)
        if isLast {
            segment.needsNewSegment = try self.settleTail(&scan, name, file)
        } else {
            try self.requireSealedEnd(&scan, name)
        }
        return segment
    }

    /// Looks whether the segment that was active at the last clean stop still reaches as far.
    private mutating func compare(_ segment: ReplayedSegment, _ name: SegmentName, with manifest: Manifest) {
        guard name == manifest.active, let closed = manifest.closed, segment.end < closed.lengthBytes else { return }
        self.report.lostEnd = .init(
            file: name.description, offset: segment.end, closedOffset: closed.lengthBytes,
            lastRevision: segment.nextRevision - 1, closedLastRevision: closed.lastRevision)
    }

    func readHeader(_ file: any File, _ name: SegmentName) throws(LogError) -> SegmentHeader {
        var bytes: [UInt8] = []
        _ = try systemCall { () throws(SystemError) in
            try file.read(SegmentHeader.byteCount, at: 0, into: &bytes)
        }
        return try SegmentHeader(
            decoding: bytes, file: name.description, lastGoodRevision: self.report.lastRevision)
    }

    private func check(
        _ header: SegmentHeader, _ name: SegmentName, _ storeID: StoreID, _ predecessor: SegmentHeader.Predecessor
    ) throws(LogError) {
        if header.storeID != storeID {
            throw self.damage(name, at: 16, .foreignSegment(expectedStore: storeID, foundStore: header.storeID))
        }
        if header.sequence != name.sequence || header.firstRevision != name.firstRevision {
            throw self.damage(
                name, at: 32,
                .segmentHeader("it says sequence \(header.sequence) from revision \(header.firstRevision)"))
        }
        if predecessor == .none && (header.sequence != 1 || header.firstRevision != 1) {
            throw self.damage(name, at: 64, .missingSegment(sequence: header.predecessor.sequence))
        }
        if header.predecessor != predecessor {
            throw self.damage(
                name, at: 64,
                .predecessor("it follows segment \(header.predecessor.sequence) that ends at another place"))
        }
        if header.firstRevision != predecessor.lastRevision + 1 {
            throw self.damage(name, at: 40, .predecessor("it begins at revision \(header.firstRevision)"))
        }
    }

    // MARK: - Going on

    private mutating func resume(
        _ segment: ReplayedSegment, _ manifest: Manifest, isListed: Bool
    ) throws(LogError) -> SegmentChain {
        try systemCall { () throws(SystemError) in
            var chain = try SegmentChain(
                resuming: manifest, file: segment.file, header: segment.header, offset: segment.end,
                syncMode: self.configuration.syncMode, paths: self.paths, fileSystem: self.fileSystem)
            if segment.needsNewSegment {
                let prepared = try PreparedSegment.make(
                    path: self.paths.prepared(0), in: self.paths.directory,
                    sizeBytes: self.configuration.segmentBytes, fileSystem: self.fileSystem)
                let sealed: SegmentSummary
                if let checksum = segment.sealChecksum {
                    sealed = try chain.advance(
                        to: prepared, nextRevision: segment.nextRevision, sealChecksum: checksum)
                } else {
                    sealed = try chain.rotate(to: prepared, nextRevision: segment.nextRevision)
                }
                self.report.space.updateActive(
                    sizeBytes: sealed.sizeBytes, lastRevision: sealed.lastRevision, sealed: true)
                self.report.space.begin(
                    segment: SegmentSummary(
                        name: chain.name, sizeBytes: chain.offset, lastRevision: sealed.lastRevision, sealed: false))
            } else if !isListed {
                // A segment that got its name just before a crash.
                try chain.listSegments()
            }
            return chain
        }
    }
}
