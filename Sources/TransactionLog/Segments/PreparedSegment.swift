import Glibc

/// A zero-filled file that waits to become a segment: appends to it change no metadata, so that `fdatasync` is cheap
/// and cannot run out of space.
struct PreparedSegment: Sendable {
    let file: any File
    let path: String

    private static let chunk = [UInt8](repeating: 0, count: 1 << 20)

    /// Stays free for manifests, without which there is no moving on to the next segment.
    private static func marginBytes(_ sizeBytes: Int) -> Int { min(1 << 20, max(8_192, sizeBytes / 4)) }

    /// Writes `sizeBytes` zeros and makes them durable; the folder's entry is made durable when the file gets its name.
    /// - Throws: also when the file system says that there is no room, before it is full for everyone else.
    static func make(
        path: String, in directory: String, sizeBytes: Int, fileSystem: any FileSystem
    ) throws(SystemError) -> PreparedSegment {
        if try fileSystem.capacity(directory).availableBytes < UInt64(sizeBytes + Self.marginBytes(sizeBytes)) {
            throw SystemError(call: "statvfs", path: directory, code: ENOSPC)
        }
        let file = try fileSystem.open(path, .createNew)
        do {
            var offset = 0
            while offset < sizeBytes {
                let count = min(Self.chunk.count, sizeBytes - offset)
                if count == Self.chunk.count {
                    try file.writeAll(Self.chunk, at: UInt64(offset))
                } else {
                    try file.writeAll(Array(Self.chunk[..<count]), at: UInt64(offset))
                }
                offset += count
                // In small pieces, as a sync of the log that runs meanwhile waits for what is being written here.
                if offset < sizeBytes { try file.synchronizeData() }
            }
            try file.synchronize()
            return PreparedSegment(file: file, path: path)
        } catch {
            // Gives the space back; what stays behind if that fails too is removed at the next start.
            file.close()
            do { try fileSystem.remove(path) } catch {}
            throw error
        }
    }
}
