import DurableFiles
import Glibc
import LogFormat

/// A file of zeros that waits to become a segment. It has the segment's name and all of its space, durably, so that to
/// begin the segment is to write its header, and appends to it change no metadata: neither needs space, a name or an
/// inode, and `fdatasync` is cheap.
struct PreparedSegment: Sendable {
    let file: any File
    let name: SegmentFileName

    private static let chunk = [UInt8](repeating: 0, count: 1 << 20)

    /// Stays free for manifests, without which there is no moving on to the next segment.
    private static func marginBytes(_ sizeBytes: Int) -> Int { min(1 << 20, max(8_192, sizeBytes / 4)) }

    /// Writes `sizeBytes` zeros aside and gives the file its name, all of it durably.
    /// - Parameter isCancelled: asked between pieces of 1 MiB; then nothing is left of the file.
    /// - Throws: also when the file system says that there is no room, before it is full for everyone else.
    static func make(
        _ name: SegmentFileName, sizeBytes: Int, paths: LogPaths, fileSystem: any FileSystem,
        isCancelled: () -> Bool = { false }
    ) throws(SystemError) -> PreparedSegment {
        let aside = paths.unprepared(name)
        let file = try Self.zeros(
            at: aside, in: paths.directory, sizeBytes: sizeBytes, fileSystem: fileSystem, isCancelled: isCancelled)
        do {
            try fileSystem.rename(aside, to: paths.segment(name))
            try fileSystem.syncDirectory(paths.directory)
        } catch {
            file.close()
            // One of the two is there, or neither; a start removes what stays.
            do { try fileSystem.remove(aside) } catch {}
            do { try fileSystem.remove(paths.segment(name)) } catch {}
            throw error
        }
        return PreparedSegment(file: file.renamed(to: paths.segment(name)), name: name)
    }

    /// Makes a file of `sizeBytes` zeros whose content is durable, and whose entry in the folder is not.
    static func zeros(
        at path: String, in directory: String, sizeBytes: Int, fileSystem: any FileSystem,
        isCancelled: () -> Bool = { false }
    ) throws(SystemError) -> any File {
        let capacity = try fileSystem.capacity(directory)
        if capacity.availableInodes == 0 { throw SystemError(.inodes, path: directory) }
        let margin = Self.marginBytes(sizeBytes)
        if capacity.availableBytes < UInt64(sizeBytes + margin) {
            throw SystemError(
                .bytes(
                    neededBytes: UInt64(sizeBytes + margin), availableBytes: capacity.availableBytes,
                    reservedBytes: UInt64(margin)),
                path: directory)
        }
        // What an earlier try has left could not be removed then.
        do { try fileSystem.remove(path) } catch  where error.isNotFound {}
        let file = try fileSystem.create(path)
        do throws(SystemError) {
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
                if offset < sizeBytes { try file.syncData() }
                if isCancelled() { throw SystemError.cancelled(path) }
            }
            try file.sync()
            return file
        } catch {
            // Gives the space back; what stays behind if that fails too is removed at the next start.
            file.close()
            do { try fileSystem.remove(path) } catch {}
            throw error
        }
    }

    /// Takes over a file that an earlier process has prepared.
    /// - Returns: nil unless it is as one that is made now would be; nothing has been changed then.
    static func find(
        _ name: SegmentFileName, sizeBytes: Int, paths: LogPaths, fileSystem: any FileSystem
    ) throws(SystemError) -> PreparedSegment? {
        let file = try fileSystem.open(paths.segment(name), .readWrite)
        do throws(SystemError) {
            var header: [UInt8] = []
            _ = try file.read(SegmentHeader.byteCount, at: 0, into: &header)
            if try file.size() == UInt64(sizeBytes), header.allSatisfy({ $0 == 0 }) {
                return PreparedSegment(file: file, name: name)
            }
        } catch {
            file.close()
            throw error
        }
        file.close()
        return nil
    }
}
