import Crypto

/// Makes the bytes of a backup: a tar archive of the files of a log, and at its end the file `SHA256SUMS` with the digest
/// of each, as `sha256sum -c` reads it. The size is known before the first byte. Does no I/O; confined to one thread.
public struct ArchiveWriter {
    public static let digestName = "SHA256SUMS"

    private let modifiedAt: UInt64
    private var hash = SHA256()
    private var open: (name: String, bytes: UInt64)?
    private var digests = ""

    /// - Parameter modifiedAt: seconds since 1970, the time of all files.
    public init(modifiedAt: UInt64) { self.modifiedAt = modifiedAt }

    /// Bytes of an archive of files with these names and sizes.
    public static func totalBytes(_ files: [(name: String, bytes: UInt64)]) -> UInt64 {
        let digestBytes = files.reduce(0) { $0 + SHA256.byteCount * 2 + Self.digestLine("", $1.name).utf8.count }
        let contents = files.map(\.bytes) + [UInt64(digestBytes)]
        let blocks = contents.reduce(0) { $0 + TarHeader.paddedBytes($1) }
        return blocks + UInt64((contents.count + 2) * TarHeader.blockBytes)
    }

    /// Begins a file.
    /// - Parameters:
    ///   - name: at most 100 bytes.
    ///   - bytes: less than 8 GiB, which is what the format can hold.
    /// - Returns: what comes before its content.
    public mutating func begin(_ name: String, bytes: UInt64) -> [UInt8] {
        precondition(self.open == nil, "the last file has not ended")
        self.open = (name, bytes)
        self.hash = SHA256()
        return TarHeader(name: name, bytes: bytes, modifiedAt: self.modifiedAt).encoded()
    }

    /// Counts a piece of the file's content, which follows as it is.
    public mutating func add(_ content: [UInt8]) { self.hash.update(data: content) }

    /// - Returns: what comes behind the file's content.
    public mutating func end() -> [UInt8] {
        guard let open = self.open.take() else { preconditionFailure("no file has begun") }
        self.digests += Self.digestLine(Self.text(self.hash.finalize()), open.name)
        return [UInt8](repeating: 0, count: Int(TarHeader.paddedBytes(open.bytes) - open.bytes))
    }

    /// - Returns: what comes behind the last file.
    public mutating func finish() -> [UInt8] {
        let content = Array(self.digests.utf8)
        let header = TarHeader(
            name: Self.digestName, bytes: UInt64(content.count), modifiedAt: self.modifiedAt)
        let padding = Int(TarHeader.paddedBytes(UInt64(content.count))) - content.count
        return header.encoded() + content
            + [UInt8](repeating: 0, count: padding + 2 * TarHeader.blockBytes)
    }

    static func digestLine(_ digest: String, _ name: String) -> String { "\(digest)  \(name)\n" }

    static func text(_ digest: SHA256Digest) -> String {
        digest.reduce(into: "") { text, byte in
            text += byte < 16 ? "0" : ""
            text += String(byte, radix: 16)
        }
    }
}
