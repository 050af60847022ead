/// The file name of a segment: its sequence as 16 hex digits, so that the names sort in the order of the log.
///
///     0000000000000002.log
///
/// Everything else is in the file's header, so that a file can be named before the start of its segment is known. In
/// stores of format 1 the name also contains the first revision, and stays as it is:
///
///     0000000000000002-00000000000f4241.log
public struct SegmentFileName: Equatable, Hashable, Sendable, CustomStringConvertible {
    public let sequence: UInt64
    /// Only in names of format 1.
    public let firstRevision: UInt64?

    public init(sequence: UInt64, firstRevision: UInt64? = nil) {
        self.sequence = sequence
        self.firstRevision = firstRevision
    }

    public init?(_ name: String) {
        guard name.hasSuffix(Self.suffix) else { return nil }
        let numbers = name.dropLast(Self.suffix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard numbers.count <= 2, numbers.allSatisfy({ $0.utf8.count == 16 }),
            let sequence = UInt64(numbers[0], radix: 16)
        else { return nil }
        self.init(sequence: sequence, firstRevision: numbers.count == 2 ? UInt64(numbers[1], radix: 16) : nil)
        if self.description != name { return nil }
    }

    private static let suffix = ".log"

    public var description: String {
        let revision = self.firstRevision.map { "-\(hexadecimal($0))" } ?? ""
        return "\(hexadecimal(self.sequence))\(revision)\(Self.suffix)"
    }
}

/// A segment: the name of its file, and its first possible revision.
public struct SegmentName: Equatable, Sendable, CustomStringConvertible {
    public let file: SegmentFileName
    public let firstRevision: UInt64

    public var sequence: UInt64 { self.file.sequence }

    public init(_ file: SegmentFileName, firstRevision: UInt64) {
        self.file = file
        self.firstRevision = file.firstRevision ?? firstRevision
    }

    public init(sequence: UInt64, firstRevision: UInt64) {
        self.init(SegmentFileName(sequence: sequence), firstRevision: firstRevision)
    }

    /// The file's name.
    public var description: String { "\(self.file)" }
}
