/// Operations on ranges of files, in pieces of 1 MiB.
extension File {
    private static var pieceBytes: UInt64 { 1 << 20 }

    /// Overwrites `bytes` bytes from `offset` on with zeros and makes them durable.
    public func zero(from offset: UInt64, bytes: UInt64) throws(SystemError) {
        var done: UInt64 = 0
        while done < bytes {
            let count = min(Self.pieceBytes, bytes - done)
            try self.writeAll([UInt8](repeating: 0, count: Int(count)), at: offset + done)
            done += count
        }
        try self.syncData()
    }

    /// Copies `bytes` bytes from `offset` on into a new file and makes its content durable, but not its entry in the
    /// folder. Ends early at the end of this file.
    public func copy(from offset: UInt64, bytes: UInt64, to path: String, _ fileSystem: any FileSystem)
        throws(SystemError)
    {
        let copy = try fileSystem.open(path, .createNew)
        defer { copy.close() }
        var done: UInt64 = 0
        while done < bytes {
            var buffer: [UInt8] = []
            let got = try self.read(Int(min(Self.pieceBytes, bytes - done)), at: offset + done, into: &buffer)
            if got == 0 { break }
            try copy.writeAll(buffer, at: done)
            done += UInt64(got)
        }
        try copy.sync()
    }
}
