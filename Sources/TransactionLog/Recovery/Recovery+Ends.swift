/// A torn tail of the last segment.
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
            try file.copy(from: offset, bytes: bytes, to: copyPath, self.fileSystem)
            try self.fileSystem.synchronizeDirectory(self.paths.quarantine)
            try file.zero(from: offset, bytes: bytes)
        }
        self.report.tornTail = .init(
            file: name.description, offset: offset, bytes: bytes,
            quarantined: "\(LogPaths.quarantineName)/\(copyName)")
    }
}
