/// The segments of a store, from the first to the last.
extension Recovery {
    mutating func replay(_ manifest: Manifest, _ folder: LogFolder) throws(LogError) -> SegmentChain {
        let listed = manifest
        var manifest = manifest
        self.report.storeID = manifest.storeID
        let names = folder.segmentNames(of: manifest)
        try self.checkPresence(folder.presence(of: names, manifest))
        try systemCall { () throws(SystemError) in
            try self.takePrepared(folder.prepared, after: names.last?.sequence ?? 0)
        }
        self.bytesTotal = try self.totalBytes(names, manifest) + manifest.parts.reduce(0) { $0 + $1.lengthBytes }
        for name in names {
            self.report.space.begin(
                segment: SegmentSummary(
                    name: name, sizeBytes: 0, lastRevision: name.firstRevision - 1, sealed: name != names.last))
        }
        let verification = EarlyVerification(manifest, self.reader)
        verification.start(threads: self.configuration.verifyingThreads)
        defer { verification.stop() }
        try self.loadSnapshot(manifest, verification)
        var predecessor = manifest.base
        self.report.lastRevision = predecessor.lastRevision
        for (index, name) in names.enumerated() {
            let isLast = index == names.count - 1
            try verification.enter(manifest.parts.count + index)
            let known = manifest.sealed.first { $0.name == name }
            let segment = try self.replay(name, storeID: manifest.storeID, predecessor: predecessor, isLast: isLast)
            self.report.space.update(
                at: index, sizeBytes: segment.content.end, lastRevision: segment.content.nextRevision - 1,
                sealed: !isLast)
            if name == manifest.active { self.report.lostEnd = .init(segment.content, name, manifest.closed) }
            if isLast { return try self.resume(segment, manifest, isListed: manifest == listed) }
            guard let sealChecksum = segment.content.sealChecksum else {
                preconditionFailure("only the last is not sealed")
            }
            let sealed = LogReader.sealed(segment.content, name, sealChecksum: sealChecksum)
            if let known {
                try LogReader.compare(sealed, with: known)
            } else {
                manifest.sealed.append(sealed)
                manifest.active = names[index + 1]
                manifest.closed = nil
            }
            predecessor = sealed.asPredecessor
            segment.file.close()
        }
        preconditionFailure("a log has at least one segment")
    }

    /// Every listed file must exist. Segments that the snapshot has replaced and unlisted parts are leftovers of a
    /// crash and are removed; any other segment does not belong to this log.
    private func checkPresence(_ presence: LogFolder.Presence) throws(LogError) {
        if let problem = presence.problems.first { throw .corrupt(problem) }
        let leftovers =
            presence.replacedSegments.map(self.paths.segment) + presence.unlistedParts.map(self.paths.part)
        for path in leftovers {
            try systemCall { () throws(SystemError) in try self.fileSystem.remove(path) }
        }
    }

    // MARK: - The snapshot

    private mutating func loadSnapshot(_ manifest: Manifest, _ verification: EarlyVerification) throws(LogError) {
        self.report.space.set(parts: manifest.parts)
        let apply = self.apply
        for (index, part) in manifest.partsInOrder.enumerated() {
            try verification.enter(index)
            let file = try self.reader.open(part.name)
            defer { file.close() }
            var reader = try PartReader(part, storeID: manifest.storeID, file: file)
            let bytesBefore = self.report.bytesRead
            var more = true
            while more {
                var lastKey: [UInt8] = []
                more = try reader.advance { revision, operation in
                    self.report.space.count(revision, operation, replacing: apply(revision, operation))
                    self.report.snapshotEntries += 1
                    unsafe lastKey = Array(operation.key)
                }
                if !lastKey.isEmpty { self.lastKeys[part.name] = lastKey }
                self.report.bytesRead = bytesBefore + reader.offset
                try self.tellProgress()
            }
        }
    }

    private func tellProgress() throws(LogError) {
        try self.progress(
            ReplayProgress(
                bytesRead: self.report.bytesRead, bytesTotal: self.bytesTotal,
                transactions: self.report.transactions))
    }

    // MARK: - A segment

    /// Total bytes of frames, as far as known: for the last segment its whole file.
    private func totalBytes(_ names: [SegmentName], _ manifest: Manifest) throws(LogError) -> UInt64 {
        var total = manifest.sealed.reduce(0) { $0 + $1.lengthBytes }
        let sealed = Set(manifest.sealed.map(\.name.sequence))
        for name in names where !sealed.contains(name.sequence) {
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
        var content: LogReader.Segment
        var needsNewSegment = false
    }

    private mutating func replay(
        _ name: SegmentName, storeID: StoreID, predecessor: SegmentHeader.Predecessor, isLast: Bool
    ) throws(LogError) -> ReplayedSegment {
        let file = try systemCall { () throws(SystemError) in
            let file = try self.fileSystem.open(self.paths.segment(name), isLast ? .readWrite : .read)
            if isLast {
                // If a sync of the previous process failed, the cache shows frames that the device does not contain,
                // and this sync does not write them: read what the device contains.
                try file.sync()
                try file.forgetCache()
            }
            return file
        }
        let (reader, apply) = (self.reader, self.apply)
        let header = try reader.header(of: file, name, lastGoodRevision: predecessor.lastRevision)
        try reader.check(header, name, storeID, predecessor)
        let (bytesBefore, transactionsBefore) = (self.report.bytesRead, self.report.transactions)
        let content = try reader.read(
            name, file, header, isLast: isLast,
            progress: { offset, nextRevision throws(LogError) in
                self.report.bytesRead = bytesBefore + offset
                self.report.transactions = transactionsBefore + nextRevision - header.firstRevision
                self.report.lastRevision = nextRevision - 1
                try self.tellProgress()
            },
            apply: { revision, operation in
                self.report.space.count(revision, operation, replacing: apply(revision, operation))
            })
        self.report.operations += content.operations
        self.report.wasCleanShutdown = content.lastKind == .cleanShutdown
        if isLast {
            self.report.cutFile = .init(content, name)
            self.report.uncleanEnd = .init(content, name)
        }
        if content.tornBytes > 0 { try self.cut(name, file, from: content.end, bytes: content.tornBytes) }
        // The sync mode in the header limits how much of a tail can be torn; another mode needs a new header.
        let hasOtherMode = header.syncModeCode != self.configuration.syncMode.code
        // New frames must be distinguishable from those before the truncation.
        let isCut = isLast && self.report.cutFile != nil
        return ReplayedSegment(
            file: file, content: content,
            needsNewSegment: isLast && (content.sealChecksum != nil || content.tornBytes > 0 || hasOtherMode || isCut))
    }

    // MARK: - Continuing the log

    private mutating func resume(
        _ segment: ReplayedSegment, _ manifest: Manifest, isListed: Bool
    ) throws(LogError) -> SegmentChain {
        try systemCall { () throws(SystemError) in
            var chain = try SegmentChain(
                resuming: manifest, file: segment.file, header: segment.content.header, offset: segment.content.end,
                sealChecksum: segment.content.sealChecksum, syncMode: self.configuration.syncMode, paths: self.paths,
                fileSystem: self.fileSystem)
            if segment.needsNewSegment {
                try self.beginSegment(&chain, nextRevision: segment.content.nextRevision)
            } else if !isListed {
                // A segment whose file was renamed just before a crash.
                try chain.listSegments()
            }
            return chain
        }
    }

    /// Continues in the next segment. If there is no space for one, the log opens nevertheless, and continues there
    /// when it has space.
    private mutating func beginSegment(_ chain: inout SegmentChain, nextRevision: UInt64) throws(SystemError) {
        do {
            let prepared = try self.prepareSegment(chain.name.sequence + 1)
            let sealed = try chain.rotate(to: prepared, nextRevision: nextRevision)
            self.report.space.updateActive(sizeBytes: sealed.sizeBytes, lastRevision: sealed.lastRevision, sealed: true)
            self.report.space.begin(
                segment: SegmentSummary(
                    name: chain.name, sizeBytes: chain.offset, lastRevision: sealed.lastRevision, sealed: false))
        } catch {
            if !error.isOutOfSpace || chain.isInDoubt { throw error }
            try chain.seal(nextRevision)
        }
    }
}
