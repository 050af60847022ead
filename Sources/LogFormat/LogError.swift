public import DurableFiles
public import SystemSupport

/// Why the log cannot be opened or has failed.
public enum LogError: Error, CustomStringConvertible {
    /// A system call failed. On the commit path this poisons the log; during the start it ends the start.
    case system(SystemError)
    /// The process cannot create another thread.
    case thread(ThreadError)
    /// Another process holds the folder.
    case locked(directory: String, owner: String)
    /// The bytes are not what the log wrote, and this cannot be a torn tail.
    case corrupt(Corruption)
    /// Written by a newer version of this program.
    case unsupported(file: String, detail: String)
    /// The caller ended the replay because the log does not fit into memory. Nothing was changed.
    case outOfMemory(String)

    public var description: String {
        switch self {
        case .system(let error): "\(error)"
        case .thread(let error): "\(error)"
        case .locked(let directory, let owner): "data folder \(directory) is in use by \(owner)"
        case .corrupt(let corruption): "\(corruption)"
        case .outOfMemory(let detail): detail
        case .unsupported(let file, let detail): "\(file): \(detail); it was written by a newer version"
        }
    }
}

/// Converts a failed call into the log's error.
public func systemCall<Result>(_ body: () throws(SystemError) -> Result) throws(LogError) -> Result {
    do { return try body() } catch { throw .system(error) }
}

/// The place of the damage, and its kind.
public struct Corruption: Equatable, Sendable, CustomStringConvertible {
    public enum Reason: Equatable, Sendable {
        case segmentHeader(String)
        case foreignSegment(expectedStore: StoreID, foundStore: StoreID)
        case predecessor(String)
        case missingSegment(sequence: UInt64)
        case unexpectedSegment(sequence: UInt64)
        case manifestMissing
        case manifest(String)
        /// A damaged frame that was durable for certain: proved by a later frame, or by its segment's seal.
        case durableFrame(FrameFault)
        /// More bytes after the last frame than one write can leave.
        case tailTooLarge(bytes: UInt64)
        /// The store was closed cleanly, so nothing may follow its last frame.
        case bytesAfterCleanShutdown(bytes: UInt64)
        case segmentNotSealed
        case bytesAfterSeal
        case missingPart
        case snapshot(String)
        case importedLog(String)
    }

    public let file: String
    public let offset: UInt64
    /// The last revision before the damage that is known to be intact.
    public let lastGoodRevision: UInt64
    public let reason: Reason
    /// The owner of the folder from which the damaged one was copied, if known.
    public var copiedFrom: String?

    public init(file: String, offset: UInt64, lastGoodRevision: UInt64, reason: Reason) {
        self.file = file
        self.offset = offset
        self.lastGoodRevision = lastGoodRevision
        self.reason = reason
    }

    public static let manifestMissing = Corruption(
        file: Manifest.fileName, offset: 0, lastGoodRevision: 0, reason: .manifestMissing)

    /// Whether the Go system's log is damaged, not the store itself.
    public var isOfImport: Bool {
        if case .importedLog = self.reason { true } else { false }
    }

    public var description: String {
        "\(self.file) at offset \(self.offset), after revision \(self.lastGoodRevision): \(self.reason.description)"
    }
}

extension Corruption.Reason {
    public static let endsOtherwise = Self.predecessor("the MANIFEST contains a different end")
}

extension Corruption.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .segmentHeader(let detail): "the segment's header is damaged: \(detail)"
        case .foreignSegment(let expected, let found): "the segment belongs to store \(found), not to \(expected)"
        case .predecessor(let detail): "the segment does not continue the one before it: \(detail)"
        case .missingSegment(let sequence): "segment \(sequence) is missing"
        case .unexpectedSegment(let sequence): "segment \(sequence) does not belong to this log"
        case .manifestMissing: "there are segments with data, or parts of a snapshot, but no MANIFEST"
        case .manifest(let detail): "the MANIFEST is damaged: \(detail)"
        case .durableFrame(let fault): "a durable frame is damaged: \(fault)"
        case .tailTooLarge(let bytes): "\(bytes) bytes follow the last frame, more than one write can leave"
        case .bytesAfterCleanShutdown(let bytes): "\(bytes) bytes follow the end of a clean shutdown"
        case .segmentNotSealed: "the segment ends without a seal although a later one exists"
        case .bytesAfterSeal: "there are bytes after the segment's seal"
        case .missingPart: "this part of the snapshot is missing"
        case .snapshot(let detail): "the part of the snapshot is damaged: \(detail)"
        case .importedLog(let detail): "the log to import cannot be read: \(detail)"
        }
    }
}

/// What is wrong with the bytes at the place of a frame.
public enum FrameFault: Error, Equatable, Sendable, CustomStringConvertible {
    case zeros
    case incomplete
    case magic
    case headerChecksum
    case segmentSalt
    case unknownType(UInt8)
    case payloadLength(UInt32)
    case payloadChecksum
    case revision(expected: UInt64, found: UInt64)
    case padding
    case content(String)

    public var description: String {
        switch self {
        case .zeros: "there is no frame"
        case .incomplete: "the file ends within it"
        case .magic: "it does not begin with the magic number of a frame"
        case .headerChecksum: "its header does not match its checksum"
        case .segmentSalt: "it was written for another segment"
        case .unknownType(let type): "its type \(type) is unknown"
        case .payloadLength(let length): "its length \(length) is out of bounds"
        case .payloadChecksum: "its payload does not match its checksum"
        case .revision(let expected, let found): "it begins at revision \(found) instead of \(expected)"
        case .padding: "its padding is not zero"
        case .content(let detail): detail
        }
    }
}
