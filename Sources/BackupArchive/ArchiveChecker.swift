import Crypto

/// Where a file is in an archive.
public struct ArchivedFile: Equatable, Sendable {
    public let name: String
    /// Of its content, from the begin of the archive.
    public let offset: UInt64
    public let bytes: UInt64
}

/// Why an archive cannot be used.
public enum ArchiveError: Error, Equatable, CustomStringConvertible {
    case notABackup(String)
    case truncated(bytes: UInt64)
    case damaged(String)

    public var description: String {
        switch self {
        case .notABackup(let reason): "this is not a backup of a kv-service: \(reason)"
        case .truncated(let bytes): "the backup is incomplete: it ends after \(bytes) bytes, without its digests"
        case .damaged(let reason): "the backup is damaged: \(reason)"
        }
    }
}

/// Reads a backup piece by piece, in any pieces, and compares each file with its digest. Does no I/O; confined to one
/// thread.
public struct ArchiveChecker {
    /// The digests of a hundred thousand files.
    private static let digestLimitBytes: UInt64 = 16 << 20

    private enum State {
        case header
        case content(ArchivedFile, left: UInt64)
        case padding(left: UInt64)
        /// Zeros up to the end.
        case end
    }

    private var state = State.header
    private var block: [UInt8] = []
    private var hash = SHA256()
    private var digests: [(name: String, digest: String)] = []
    private var listed: [UInt8]?
    /// Without the digests.
    public private(set) var files: [ArchivedFile] = []
    /// Bytes received.
    public private(set) var bytes: UInt64 = 0

    public init() {}

    public mutating func receive(_ piece: [UInt8]) throws(ArchiveError) {
        var rest = piece[...]
        while !rest.isEmpty {
            switch self.state {
            case .header: try self.takeHeader(&rest)
            case .content(let file, let left):
                let count = Int(min(left, UInt64(rest.count)))
                self.take(rest.prefix(count), of: file)
                self.state = .content(file, left: left - UInt64(count))
                self.skip(count, &rest)
            case .padding(let left):
                let count = Int(min(left, UInt64(rest.count)))
                self.state = .padding(left: left - UInt64(count))
                try self.skipZeros(count, &rest)
            case .end: try self.skipZeros(rest.count, &rest)
            }
            self.advance()
        }
    }

    /// - Returns: the files, each as its digest says.
    /// - Throws: also if the archive is not complete.
    public func finish() throws(ArchiveError) -> [ArchivedFile] {
        guard case .end = self.state, let listed = self.listed else { throw .truncated(bytes: self.bytes) }
        let lines = self.digests.map { ArchiveWriter.digestLine($0.digest, $0.name) }
        if lines.joined().utf8.elementsEqual(listed) { return self.files }
        let expected = String(decoding: listed, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        let wrong = zip(lines, expected).first { $0.dropLast() != $1 }?.0.dropLast().split(separator: " ").last
        throw .damaged("\(wrong.map { "\($0) does" } ?? "its files do") not match \(ArchiveWriter.digestName)")
    }

    private mutating func skip(_ count: Int, _ rest: inout ArraySlice<UInt8>) {
        rest.removeFirst(count)
        self.bytes += UInt64(count)
    }

    private mutating func skipZeros(_ count: Int, _ rest: inout ArraySlice<UInt8>) throws(ArchiveError) {
        if !rest.prefix(count).allSatisfy({ $0 == 0 }) {
            throw .damaged("there is something where zeros belong, after \(self.bytes) bytes")
        }
        self.skip(count, &rest)
    }

    private mutating func takeHeader(_ rest: inout ArraySlice<UInt8>) throws(ArchiveError) {
        let count = min(TarHeader.blockBytes - self.block.count, rest.count)
        self.block += rest.prefix(count)
        self.skip(count, &rest)
        if self.block.count < TarHeader.blockBytes { return }
        defer { self.block.removeAll(keepingCapacity: true) }
        let begin = self.bytes - UInt64(TarHeader.blockBytes)
        if self.listed != nil {
            if !self.block.allSatisfy({ $0 == 0 }) { throw .damaged("something follows the digests") }
            self.state = .end
            return
        }
        guard let header = TarHeader(decoding: self.block) else {
            if begin == 0 { throw .notABackup("it does not begin as one; what tar has packed again does not either") }
            throw .damaged("the header of a file, after \(begin) bytes, is not valid")
        }
        let file = ArchivedFile(name: header.name, offset: self.bytes, bytes: header.bytes)
        if file.name == ArchiveWriter.digestName {
            if file.bytes > Self.digestLimitBytes { throw .damaged("its digests have \(file.bytes) bytes") }
            self.listed = []
        } else if self.files.contains(where: { $0.name == file.name }) {
            throw .damaged("\(file.name) is in it twice")
        } else if file.name.isEmpty || file.name.hasPrefix(".") || file.name.contains("/") {
            throw .notABackup("it contains the file '\(file.name)'")
        } else {
            self.files.append(file)
        }
        self.hash = SHA256()
        self.state = .content(file, left: file.bytes)
    }

    private mutating func take(_ content: ArraySlice<UInt8>, of file: ArchivedFile) {
        if self.listed != nil {
            self.listed?.append(contentsOf: content)
        } else {
            self.hash.update(data: content)
        }
    }

    /// Goes on behind what has ended.
    private mutating func advance() {
        if case .content(let file, left: 0) = self.state {
            if self.listed == nil { self.digests.append((file.name, ArchiveWriter.text(self.hash.finalize()))) }
            self.state = .padding(left: TarHeader.paddedBytes(file.bytes) - file.bytes)
        }
        if case .padding(left: 0) = self.state { self.state = .header }
    }
}
