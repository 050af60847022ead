/// One operation of a transaction, as a view into the bytes that were read. Valid only during the call that receives
/// it.
@safe public struct LoggedOperation {
    public let kind: OperationKind
    public let key: UnsafeRawBufferPointer
    public let value: UnsafeRawBufferPointer
    /// Milliseconds since 1970; 0 for never.
    public let expiresAt: UInt64
    /// Whether a delete was made by the store itself, because the key had expired.
    public let isExpiry: Bool
    public let place: Place

    public enum Place: Sendable {
        case withinTransaction
        /// The last one of its transaction, a receipt apart.
        case endOfTransaction
        /// Behind the changes of a transaction, or alone in a frame.
        case receipt
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
        if header.kind == .receipts { return unsafe Self.receipts(in: payload, header: header, body) }
        if header.kind != .data, unsafe !payload.isEmpty || header.transactionCount > 0 {
            return .content("a frame of type \(header.kind) has a payload")
        }
        var offset = 0
        for index in 0..<UInt64(header.transactionCount) {
            if payload.count - offset < FrameBuilder.transactionHeaderBytes {
                return .content("a transaction ends after the payload")
            }
            let operations = unsafe Int(payload[offset])
            if operations == 0 || operations > FrameBuilder.maximumOperationsPerTransaction {
                return .content("a transaction has \(operations) operations")
            }
            if unsafe payload[offset + 1] != 0 {
                return .content("a transaction has unknown flags \(unsafe payload[offset + 1])")
            }
            if unsafe payload.load16(offset + 2) != 0 || payload.load32(offset + 4) != 0 {
                return .content("a transaction has unknown fields")
            }
            offset += FrameBuilder.transactionHeaderBytes
            let origin = Origin(revision: header.firstRevision + index, operations: operations, header: header)
            if let fault = unsafe Self.transaction(in: payload, at: &offset, origin, body) { return fault }
        }
        return offset == payload.count ? nil : .content("bytes follow the last transaction")
    }

    /// Where operations come from.
    private struct Origin {
        let revision: UInt64
        let operations: Int
        let header: FrameHeader
    }

    private static func transaction(
        in payload: UnsafeRawBufferPointer, at offset: inout Int, _ origin: Origin,
        _ body: (UInt64, LoggedOperation) -> Void
    ) -> FrameFault? {
        for number in 1...origin.operations {
            // A receipt is the last operation, so the one before it ends the changes.
            var kind = OperationKind.set
            let fault = unsafe Self.operation(in: payload, at: &offset, origin, number) { revision, operation in
                kind = operation.kind
                body(revision, operation)
            }
            if let fault { return fault }
            if kind == .receipt, number == 1 || number < origin.operations {
                return .content("a receipt is not the last of several operations")
            }
        }
        return nil
    }

    private static func receipts(
        in payload: UnsafeRawBufferPointer, header: FrameHeader, _ body: (UInt64, LoggedOperation) -> Void
    ) -> FrameFault? {
        if header.transactionCount != 0 { return .content("a frame of receipts has transactions") }
        var offset = 0
        let origin = Origin(revision: 0, operations: 0, header: header)
        while offset < payload.count {
            var isReceipt = true
            let fault = unsafe Self.operation(in: payload, at: &offset, origin, 0) { revision, operation in
                isReceipt = operation.kind == .receipt
                if isReceipt { body(revision, operation) }
            }
            if let fault { return fault }
            if !isReceipt { return .content("a frame of receipts has another operation") }
        }
        return nil
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
            let revision = unsafe payload.load64(offset)
            offset += FrameBuilder.entryRevisionBytes
            var isSet = true
            let fault = unsafe Self.operation(
                in: payload, at: &offset, Origin(revision: revision, operations: 1, header: header), 1
            ) { revision, operation in
                isSet = operation.kind == .set
                if isSet { body(revision, operation) }
            }
            if let fault { return fault }
            if !isSet { return .content("an entry is a delete") }
        }
        return offset == payload.count ? nil : .content("bytes follow the last entry")
    }

    private static func operation(
        in payload: UnsafeRawBufferPointer, at offset: inout Int, _ origin: Origin, _ number: Int,
        _ body: (UInt64, LoggedOperation) -> Void
    ) -> FrameFault? {
        if payload.count - offset < FrameBuilder.operationHeaderBytes {
            return .content("an operation ends after the payload")
        }
        guard let kind = unsafe OperationKind(rawValue: payload[offset]) else {
            return .content("an operation has the unknown op \(unsafe payload[offset])")
        }
        let flags = unsafe payload[offset + 1]
        let expiryFlag = FrameBuilder.expiryFlag
        if flags > (kind == .delete ? expiryFlag : 1) || kind == .delete && flags == 1 {
            return .content("an operation has unknown flags \(flags)")
        }
        let keyLength = unsafe Int(payload.load16(offset + 2))
        let valueLength = unsafe Int(payload.load32(offset + 4))
        if kind == .delete && valueLength != 0 { return .content("a delete has a value") }
        if kind == .receipt && flags != 0 { return .content("a receipt has an expiry time") }
        let keyStart = offset + FrameBuilder.operationHeaderBytes + (flags == 1 ? FrameBuilder.expiryBytes : 0)
        let end = keyStart + keyLength + valueLength
        if end >= payload.count { return .content("an operation ends after the payload") }
        if unsafe payload[end] != 0x0A { return .content("an operation does not end with a newline") }
        let expiresAt = flags == 1 ? unsafe payload.load64(offset + FrameBuilder.operationHeaderBytes) : 0
        if flags == 1 && expiresAt == 0 { return .content("an operation has the expiry time 0") }
        unsafe body(
            origin.revision,
            LoggedOperation(
                kind: kind,
                key: UnsafeRawBufferPointer(rebasing: payload[keyStart..<keyStart + keyLength]),
                value: UnsafeRawBufferPointer(rebasing: payload[keyStart + keyLength..<end]),
                expiresAt: expiresAt,
                isExpiry: kind == .delete && flags == expiryFlag,
                place: unsafe Self.place(of: kind, in: payload, endingAt: end + 1, origin, number)
            )
        )
        offset = end + 1
        return nil
    }
}

extension FramePayload {
    private static func place(
        of kind: OperationKind, in payload: UnsafeRawBufferPointer, endingAt end: Int, _ origin: Origin, _ number: Int
    ) -> LoggedOperation.Place {
        if origin.header.kind == .entries { return .snapshot }
        if kind == .receipt { return .receipt }
        if number == origin.operations { return .endOfTransaction }
        let isReceiptNext =
            unsafe number + 1 == origin.operations && end < payload.count
            && payload[end] == OperationKind.receipt.rawValue
        return isReceiptNext ? .endOfTransaction : .withinTransaction
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func load16(_ offset: Int) -> UInt16 {
        unsafe UInt16(littleEndian: self.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    fileprivate func load64(_ offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: self.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    fileprivate func load32(_ offset: Int) -> UInt32 {
        unsafe UInt32(littleEndian: self.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
