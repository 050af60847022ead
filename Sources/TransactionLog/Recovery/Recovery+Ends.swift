/// What is behind the last good frame of a segment.
extension Recovery {
    /// A segment with a successor ends in its seal, and nothing follows.
    func requireSealedEnd(_ scan: inout SegmentScan, _ name: SegmentName) throws(LogError) {
        let end = scan.offset
        let tail = try systemCall { () throws(SystemError) in try scan.reader.inspectTail(from: end) }
        if scan.sealChecksum != nil {
            if tail.end > end { throw self.damage(name, at: end, .bytesAfterSeal) }
            return
        }
        guard let fault = scan.fault, tail.end > end else { throw self.damage(name, at: end, .segmentNotSealed) }
        throw self.certainDamage(fault, scan, name) ?? self.damage(name, at: end, .durableFrame(fault))
    }

    /// Decides about the end of the last segment by ``TailVerdict``, and cuts a torn tail.
    /// - Returns: whether the segment takes no more frames.
    mutating func settleTail(
        _ scan: inout SegmentScan, _ name: SegmentName, _ file: any File
    ) throws(LogError) -> Bool {
        let end = scan.offset
        let tail = try systemCall { () throws(SystemError) in try scan.reader.inspectTail(from: end) }
        let tailBytes = tail.end - end
        if scan.sealChecksum != nil {
            if tailBytes > 0 { throw self.damage(name, at: end, .bytesAfterSeal) }
            return true
        }
        if let fault = scan.fault, let damage = self.certainDamage(fault, scan, name) { throw damage }
        let synchronisesEachFrame = scan.header.syncModeCode == SyncMode.always.code
        let largestFrame = UInt64(FrameHeader.frameBytes(payload: FrameHeader.maximumPayloadBytes))
        let verdict = TailVerdict.of(
            TailEvidence(
                restIsZero: tailBytes == 0,
                laterFrameProvesDurable: tail.laterFrameProvesDurable,
                afterCleanShutdown: scan.lastKind == .cleanShutdown,
                fitsControlFrame: tailBytes <= UInt64(FrameHeader.byteCount),
                fitsInFlight: !synchronisesEachFrame || tailBytes <= largestFrame))
        switch verdict {
        case .cleanEnd:
            // The header says how much of a tail can be torn; with another sync mode it would not be true.
            return scan.header.syncModeCode != self.configuration.syncMode.code
        case .tornTail:
            try self.cut(name, file, from: end, bytes: tailBytes)
            return true
        case .durableFrameDamaged: throw self.damage(name, at: end, .durableFrame(scan.fault ?? .zeros))
        case .tailTooLarge: throw self.damage(name, at: end, .tailTooLarge(bytes: tailBytes))
        case .bytesAfterCleanShutdown:
            throw self.damage(name, at: end, .bytesAfterCleanShutdown(bytes: tailBytes))
        }
    }

    /// Faults of a frame whose checksums held: no torn write leaves these.
    private func certainDamage(_ fault: FrameFault, _ scan: SegmentScan, _ name: SegmentName) -> LogError? {
        switch fault {
        case .revision, .content, .payloadLength: self.damage(name, at: scan.offset, .durableFrame(fault))
        case .unknownType: .unsupported(file: name.description, detail: "\(fault) at offset \(scan.offset)")
        default: nil
        }
    }

    /// Copies the torn bytes to `quarantine/`, then zeroes them. After a crash in between, the next start finds what
    /// is left of them and does the same again.
    private mutating func cut(
        _ name: SegmentName, _ file: any File, from offset: UInt64, bytes: UInt64
    ) throws(LogError) {
        let copyName = "\(name)-at-\(offset)-\(wallClockNanoseconds()).torn"
        let copyPath = "\(self.paths.quarantine)/\(copyName)"
        try systemCall { () throws(SystemError) in
            try self.fileSystem.createDirectory(self.paths.quarantine)
            try self.fileSystem.synchronizeDirectory(self.paths.directory)
            let copy = try self.fileSystem.open(copyPath, .createNew)
            defer { copy.close() }
            let chunk = 1 << 20
            var done: UInt64 = 0
            while done < bytes {
                var buffer: [UInt8] = []
                let got = try file.read(min(chunk, Int(bytes - done)), at: offset + done, into: &buffer)
                try copy.writeAll(buffer, at: done)
                done += UInt64(got)
            }
            try copy.synchronize()
            try self.fileSystem.synchronizeDirectory(self.paths.quarantine)
            done = 0
            while done < bytes {
                let count = min(chunk, Int(bytes - done))
                try file.writeAll([UInt8](repeating: 0, count: count), at: offset + done)
                done += UInt64(count)
            }
            try file.synchronizeData()
        }
        self.report.tornTail = .init(
            file: name.description, offset: offset, bytes: bytes,
            quarantined: "\(LogPaths.quarantineName)/\(copyName)")
    }
}
