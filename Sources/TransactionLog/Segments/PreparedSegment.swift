import DurableFiles
import Glibc
import LogFormat

/// A file of zeros that will become a segment. It has the segment's name and all of its space, durably, so that writing
/// the header begins the segment, and appends change no metadata: neither needs space, a name or an inode, and
/// `fdatasync` is fast.
struct PreparedSegment: Sendable {
    let file: any File
    let name: SegmentFileName

    /// Written with one call. The page cache keeps what a larger call wrote in larger units, and each append costs time
    /// for all blocks of its unit.
    private static let piece = [UInt8](repeating: 0, count: 64 << 10)
    /// Between two syncs; a concurrent sync of the log waits for these writes.
    private static let syncedBytes = 1 << 20

    /// Stays free for manifests, which are required to move to the next segment.
    private static func marginBytes(_ sizeBytes: Int) -> Int { min(1 << 20, max(8_192, sizeBytes / 4)) }

    /// Writes `sizeBytes` zeros to a temporary file and renames it, all of it durably.
    /// - Parameter isCancelled: checked between pieces of 64 KiB; if true, the file is removed.
    /// - Throws: also if the file system reports too little space, before it is full for all other programs.
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
            // One of the two exists, or neither; a start removes what remains.
            do { try fileSystem.remove(aside) } catch {}
            do { try fileSystem.remove(paths.segment(name)) } catch {}
            throw error
        }
        return PreparedSegment(file: file.renamed(to: paths.segment(name)), name: name)
    }

    /// Creates a file of `sizeBytes` zeros whose content is durable, but not its entry in the folder.
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
        // The file of an earlier attempt could not be removed then.
        do { try fileSystem.remove(path) } catch  where error.isNotFound {}
        let file = try fileSystem.create(path)
        do throws(SystemError) {
            var offset = 0
            while offset < sizeBytes {
                let count = min(Self.piece.count, sizeBytes - offset)
                try file.writeAll(
                    count == Self.piece.count ? Self.piece : Array(Self.piece[..<count]), at: UInt64(offset))
                offset += count
                if offset % Self.syncedBytes == 0 && offset < sizeBytes { try file.syncData() }
                if isCancelled() { throw SystemError.cancelled(path) }
            }
            try file.sync()
            return file
        } catch {
            // Frees the space; if that fails too, the next start removes the file.
            file.close()
            do { try fileSystem.remove(path) } catch {}
            throw error
        }
    }

    /// Takes over a file that an earlier process prepared.
    /// - Returns: nil unless it equals a new one; nothing has been changed then.
    static func find(
        _ name: SegmentFileName, sizeBytes: Int, paths: LogPaths, fileSystem: any FileSystem
    ) throws(SystemError) -> PreparedSegment? {
        let file = try fileSystem.open(paths.segment(name), .readWrite)
        do throws(SystemError) {
            var header: [UInt8] = []
            _ = try file.read(SegmentHeader.byteCount, at: 0, into: &header)
            if try file.size() == UInt64(sizeBytes), Self.isZero(header) {
                return PreparedSegment(file: file, name: name)
            }
        } catch {
            file.close()
            throw error
        }
        file.close()
        return nil
    }

    /// - Precondition: at most 64 KiB.
    private static func isZero(_ bytes: [UInt8]) -> Bool {
        precondition(bytes.count <= self.piece.count)
        // Both pointers are used only for this comparison, within their bounds.
        return unsafe bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return true }
            return unsafe memcmp(base, self.piece, bytes.count) == 0
        }
    }
}
