public import DurableFiles
public import LogFormat
import Synchronization

/// The files of the log as they are at one revision. None of them is removed before ``release()``, while writes and
/// compactions go on. Any thread, one at a time.
///
/// Together the files are a complete data folder: sealed segments, parts of the snapshot, the active segment up to its
/// last synced frame, and a manifest that lists just these.
public final class LogCapture: Sendable {
    public struct File: Sendable {
        /// In the data folder.
        public let name: String
        public let bytes: UInt64
        /// What replaces the first bytes of the file.
        fileprivate let begin: [UInt8]
    }

    /// Bytes that are read at a time.
    private static let pieceBytes = 256 << 10

    public let storeID: StoreID
    /// All changes up to this one are in the files, and no later ones.
    public let revision: UInt64
    /// The manifest is the first.
    public let files: [File]
    private let holds: FileHolds
    private let fileSystem: any FileSystem
    private let paths: LogPaths
    private let isReleased = Atomic(false)

    /// On the writer thread.
    ///
    /// - Parameters:
    ///   - durableLength: bytes of the active segment.
    ///   - lastRevision: in those bytes.
    ///   - holds: not in use.
    init(_ chain: SegmentChain, durableLength: UInt64, lastRevision: UInt64, holds: FileHolds) {
        var manifest = chain.manifest
        manifest.closed = .init(lastRevision: lastRevision, lengthBytes: durableLength)
        let text = manifest.encoded()
        // The copy has no prepared space behind its last frame.
        var header = chain.header
        header.preparedBytes = 0
        self.files =
            [File(name: Manifest.fileName, bytes: UInt64(text.count), begin: text)]
            + manifest.partsInOrder.map { File(name: "\($0.name)", bytes: $0.lengthBytes, begin: []) }
            + manifest.sealed.map { File(name: "\($0.name)", bytes: $0.lengthBytes, begin: []) }
            + [File(name: "\(manifest.active)", bytes: durableLength, begin: header.encoded())]
        self.storeID = manifest.storeID
        self.revision = lastRevision
        self.holds = holds
        self.fileSystem = chain.fileSystem
        self.paths = chain.paths
        holds.hold(Set(self.files.map { chain.paths.path($0.name) }))
    }

    deinit { self.release() }

    /// Lets go of the files. A second call does nothing.
    public func release() {
        if !self.isReleased.exchange(true, ordering: .relaxed) { self.holds.release() }
    }

    /// Whether a compaction has replaced some of the files, whose space is not free before the release.
    public var delaysRemoval: Bool { self.holds.delaysRemoval }

    /// Calls `body` with the content of a file in pieces, until it returns false. Blocks.
    /// - Returns: whether all of it was read.
    public func read(_ file: File, _ body: ([UInt8]) -> Bool) throws(SystemError) -> Bool {
        if !file.begin.isEmpty, !body(file.begin) { return false }
        var offset = UInt64(file.begin.count)
        if offset == file.bytes { return true }
        let path = self.paths.path(file.name)
        let open = try self.fileSystem.open(path, .read)
        defer { open.close() }
        var piece: [UInt8] = []
        while offset < file.bytes {
            piece.removeAll(keepingCapacity: true)
            let wanted = Int(min(UInt64(Self.pieceBytes), file.bytes - offset))
            let count = try open.read(wanted, at: offset, into: &piece)
            if count < wanted { throw .overwritten(path) }
            offset += UInt64(count)
            if !body(piece) { return false }
        }
        return true
    }
}
