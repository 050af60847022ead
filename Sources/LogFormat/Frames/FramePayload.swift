/// One operation of a transaction, as a view into the bytes that were read. Valid only during the call that receives
/// it.
@safe public struct LoggedOperation {
    public let kind: OperationKind
    public let key: UnsafeRawBufferPointer
    public let value: UnsafeRawBufferPointer
    public let place: Place

    public enum Place: Sendable {
        case withinTransaction, endOfTransaction
        /// Not an operation but an entry of a snapshot.
        case snapshot
    }
}

/// Parses the payload of a data frame whose checksum was correct. Lengths are still checked against the payload: a bug
/// of the writer must be reported, not trap.
public enum FramePayload {
    /// Calls `body` with each operation in order and its revision; stops at the first error.
    public static func forEach(
        in payload: UnsafeRawBufferPointer,
        header: FrameHeader,
        _ body: (UInt64, LoggedOperation) -> Void
    ) -> FrameFault? {
        if header.kind == .entries || header.kind == .partEnd {
            return .content("a frame of type \(header.kind) is in a segment")
        }
        if header.kind != .data, unsafe !payload.isEmpty || header.transactionCount > 0 {
            return .content("a frame of type \(header.kind) has a payload")
        }
        var offset = 0
        for index in 0..<UInt64(header.transactionCount) {
            if payload.count - offset < FrameBuilder.transactionHeaderBytes {
                return .content("a transaction ends after the payload")
            }
            let operations = unsafe Int(payload[offset])
            let flags = unsafe payload[offset + 1]
            let idempotencyKey = unsafe Int(payload.load16(offset + 2))
            if operations == 0 || operations > FrameBuilder.maximumOperationsPerTransaction {
                return .content("a transaction has \(operations) operations")
            }
            if flags > 1 { return .content("a transaction has unknown flags \(flags)") }
            if unsafe payload.load32(offset + 4) != 0 || (flags == 0 && idempotencyKey != 0) {
                return .content("a transaction has unknown fields")
            }
            offset += FrameBuilder.transactionHeaderBytes + idempotencyKey
            for number in 1...operations {
                if let fault = unsafe Self.operation(
                    in: payload, at: &offset, revision: header.firstRevision + index,
                    number == operations ? .endOfTransaction : .withinTransaction, body)
                {
                    return fault
                }
            }
        }
        return offset == payload.count ? nil : .content("bytes follow the last transaction")
    }

    /// Calls `body` with each entry of a snapshot's frame in order, and the revision that set it.
    public static func forEachEntry(
        in payload: UnsafeRawBufferPointer, header: FrameHeader, _ body: (UInt64, LoggedOperation) -> Void
    ) -> FrameFault? {
        var offset = 0
        for _ in 0..<header.transactionCount {
            if payload.count - offset < FrameBuilder.entryRevisionBytes {
                return .content("an entry ends after the payload")
            }
            let revision = unsafe UInt64(littleEndian: payload.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += FrameBuilder.entryRevisionBytes
            var isSet = true
            let fault = unsafe Self.operation(in: payload, at: &offset, revision: revision, .snapshot) {
                revision, operation in
                isSet = operation.kind == .set
                if isSet { body(revision, operation) }
            }
            if let fault { return fault }
            if !isSet { return .content("an entry is a delete") }
        }
        return offset == payload.count ? nil : .content("bytes follow the last entry")
    }

    private static func operation(
        in payload: UnsafeRawBufferPointer, at offset: inout Int, revision: UInt64, _ place: LoggedOperation.Place,
        _ body: (UInt64, LoggedOperation) -> Void
    ) -> FrameFault? {
        if payload.count - offset < FrameBuilder.operationHeaderBytes {
            return .content("an operation ends after the payload")
        }
        guard let kind = unsafe OperationKind(rawValue: payload[offset]) else {
            return .content("an operation has the unknown op \(unsafe payload[offset])")
        }
        let flags = unsafe payload[offset + 1]
        if flags > 1 { return .content("an operation has unknown flags \(flags)") }
        let keyLength = unsafe Int(payload.load16(offset + 2))
        let valueLength = unsafe Int(payload.load32(offset + 4))
        if kind == .delete && (valueLength != 0 || flags != 0) { return .content("a delete has a value") }
        let keyStart = offset + FrameBuilder.operationHeaderBytes + (flags == 1 ? 8 : 0)
        let end = keyStart + keyLength + valueLength
        if end >= payload.count { return .content("an operation ends after the payload") }
        if unsafe payload[end] != 0x0A { return .content("an operation does not end with a newline") }
        unsafe body(
            revision,
            LoggedOperation(
                kind: kind,
                key: UnsafeRawBufferPointer(rebasing: payload[keyStart..<keyStart + keyLength]),
                value: UnsafeRawBufferPointer(rebasing: payload[keyStart + keyLength..<end]),
                place: place
            )
        )
        offset = end + 1
        return nil
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func load16(_ offset: Int) -> UInt16 {
        unsafe UInt16(littleEndian: self.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    fileprivate func load32(_ offset: Int) -> UInt32 {
        unsafe UInt32(littleEndian: self.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
