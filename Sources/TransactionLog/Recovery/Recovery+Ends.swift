import Glibc

/// The end of the last segment: a torn tail, and the next segment.
extension Recovery {
    /// Copies the torn bytes to `quarantine/`, then zeroes them. After a crash in between, the next start finds the
    /// rest of them and does the same again.
    mutating func cut(
        _ name: SegmentName, _ file: any File, from offset: UInt64, bytes: UInt64
    ) throws(LogError) {
        let copyName = "\(name)-at-\(offset)-\(wallClockNanoseconds()).torn"
        let copyPath = "\(self.paths.quarantine)/\(copyName)"
        try systemCall { () throws(SystemError) in
            try self.fileSystem.createDirectory(self.paths.quarantine)
            try self.fileSystem.syncDirectory(self.paths.directory)
            try self.findingSpace { () throws(SystemError) in
                do throws(SystemError) {
                    try file.copy(from: offset, bytes: bytes, to: copyPath, self.fileSystem)
                } catch {
                    // The bytes that were already copied are still in the segment.
                    do { try self.fileSystem.remove(copyPath) } catch {}
                    throw error
                }
            }
            try self.fileSystem.syncDirectory(self.paths.quarantine)
            try file.zero(from: offset, bytes: bytes)
        }
        self.report.tornTail = .init(
            file: name.description, offset: offset, bytes: bytes,
            quarantined: "\(LogPaths.quarantineName)/\(copyName)")
    }

    /// Returns a segment for further writes: a prepared one, or a new one.
    mutating func prepareSegment(_ sequence: UInt64) throws(SystemError) -> PreparedSegment {
        if let first = self.prepared.first {
            precondition(first.name.sequence == sequence, "prepared files follow the last segment")
            return self.prepared.removeFirst()
        }
        return try self.findingSpace { () throws(SystemError) in
            try PreparedSegment.make(
                SegmentFileName(sequence: sequence), sizeBytes: self.configuration.segmentBytes, paths: self.paths,
                fileSystem: self.fileSystem)
        }
    }

    /// Takes over the prepared files that follow the last segment, and removes the others.
    mutating func takePrepared(_ files: [SegmentFileName], after last: UInt64) throws(SystemError) {
        for name in files {
            if name == SegmentFileName(sequence: last + UInt64(self.prepared.count) + 1),
                let found = try PreparedSegment.find(
                    name, sizeBytes: self.configuration.segmentBytes, paths: self.paths, fileSystem: self.fileSystem)
            {
                self.prepared.append(found)
            } else {
                try self.fileSystem.remove(self.paths.segment(name))
            }
        }
    }

    /// Does something that needs space, on a full disk with the reserved space of compactions.
    private func findingSpace<Result>(_ body: () throws(SystemError) -> Result) throws(SystemError) -> Result {
        do { return try body() } catch {
            if !error.isOutOfSpace { throw error }
            do { try self.fileSystem.remove(self.paths.reserve) } catch let other {
                throw other.code == ENOENT ? error : other
            }
            return try body()
        }
    }
}
