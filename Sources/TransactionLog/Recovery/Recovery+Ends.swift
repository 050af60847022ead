import Glibc

/// The end of the last segment: a torn tail, and what follows it.
extension Recovery {
    /// Copies the torn bytes to `quarantine/`, then zeroes them. After a crash in between, the next start finds what
    /// is left of them and does the same again.
    mutating func cut(
        _ name: SegmentName, _ file: any File, from offset: UInt64, bytes: UInt64
    ) throws(LogError) {
        let copyName = "\(name)-at-\(offset)-\(wallClockNanoseconds()).torn"
        let copyPath = "\(self.paths.quarantine)/\(copyName)"
        try systemCall { () throws(SystemError) in
            try self.fileSystem.createDirectory(self.paths.quarantine)
            try self.fileSystem.synchronizeDirectory(self.paths.directory)
            try self.findingSpace { () throws(SystemError) in
                do throws(SystemError) {
                    try file.copy(from: offset, bytes: bytes, to: copyPath, self.fileSystem)
                } catch {
                    // What was copied so far is in the segment still.
                    do { try self.fileSystem.remove(copyPath) } catch {}
                    throw error
                }
            }
            try self.fileSystem.synchronizeDirectory(self.paths.quarantine)
            try file.zero(from: offset, bytes: bytes)
        }
        self.report.tornTail = .init(
            file: name.description, offset: offset, bytes: bytes,
            quarantined: "\(LogPaths.quarantineName)/\(copyName)")
    }

    /// A segment to go on in.
    func prepareSegment() throws(SystemError) -> PreparedSegment {
        try self.findingSpace { () throws(SystemError) in
            try PreparedSegment.make(
                path: self.paths.prepared(0), in: self.paths.directory, sizeBytes: self.configuration.segmentBytes,
                fileSystem: self.fileSystem)
        }
    }

    /// Does something that needs space, on a full disk with the space that was kept for compactions.
    private func findingSpace<Result>(_ body: () throws(SystemError) -> Result) throws(SystemError) -> Result {
        do { return try body() } catch {
            if !error.isOutOfSpace && !error.isShortWrite { throw error }
            do { try self.fileSystem.remove(self.paths.reserve) } catch let other {
                throw other.code == ENOENT ? error : other
            }
            return try body()
        }
    }
}
