import DurableFiles

/// Reads the frames of one segment up to its seal or the first place without an intact frame.
struct SegmentScan {
    var reader: SegmentReader
    let header: SegmentHeader
    /// Offset after the last intact frame.
    private(set) var offset = UInt64(SegmentHeader.byteCount)
    private(set) var nextRevision: UInt64
    private(set) var operations: UInt64 = 0
    private(set) var lastKind: FrameHeader.Kind?
    /// When the last intact frame was written, or the segment created, in nanoseconds since 1970.
    private(set) var lastFrameNanoseconds: UInt64
    private(set) var sealChecksum: UInt32?
    /// What is wrong at ``offset``, after the scan has ended there.
    private(set) var fault: FrameFault?

    init(reader: SegmentReader, header: SegmentHeader) {
        self.reader = reader
        self.header = header
        self.nextRevision = header.firstRevision
        self.lastFrameNanoseconds = header.createdNanoseconds
    }

    /// Reads the next frame and passes its operations to `apply`.
    /// - Returns: false if there is none.
    mutating func advance(_ apply: (UInt64, LoggedOperation) -> Void) throws(SystemError) -> Bool {
        if self.sealChecksum != nil { return false }
        let expected = self.nextRevision
        var count: UInt64 = 0
        let result = unsafe try self.reader.frame(at: self.offset) { header, payload in
            if header.firstRevision != expected {
                return .revision(expected: expected, found: header.firstRevision)
            }
            return unsafe FramePayload.forEach(in: payload, header: header) { revision, operation in
                if operation.kind != .receipt { count += 1 }
                apply(revision, operation)
            }
        }
        switch result {
        case .failure(let fault):
            self.fault = fault
            return false
        case .success(let frame):
            self.operations += count
            self.nextRevision += UInt64(frame.transactionCount)
            if frame.kind == .seal { self.sealChecksum = try self.reader.headerChecksum(at: self.offset) }
            self.lastKind = frame.kind
            self.lastFrameNanoseconds = frame.committedNanoseconds
            self.offset += UInt64(frame.frameBytes)
            return true
        }
    }
}
