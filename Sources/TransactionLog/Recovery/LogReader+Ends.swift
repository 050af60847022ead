/// The bytes behind the last intact frame of a segment.
extension LogReader {
    /// A segment with a successor ends with its seal, and nothing follows.
    func requireSealedEnd(_ scan: inout SegmentScan, _ name: SegmentName) throws(LogError) {
        let end = scan.offset
        let tail = try systemCall { () throws(SystemError) in try scan.reader.inspectTail(from: end) }
        if scan.sealChecksum != nil {
            if tail.end > end { throw Self.damage(scan, name, .bytesAfterSeal) }
            return
        }
        guard let fault = scan.fault, tail.end > end else { throw Self.damage(scan, name, .segmentNotSealed) }
        throw Self.certainDamage(fault, scan, name) ?? Self.damage(scan, name, .durableFrame(fault))
    }

    /// Decides about the end of the last segment with ``TailVerdict``.
    /// - Returns: bytes of a torn tail; 0 if the segment ends correctly.
    func tornBytes(_ scan: inout SegmentScan, _ name: SegmentName) throws(LogError) -> UInt64 {
        let end = scan.offset
        let tail = try systemCall { () throws(SystemError) in try scan.reader.inspectTail(from: end) }
        let tailBytes = tail.end - end
        if scan.sealChecksum != nil {
            if tailBytes > 0 { throw Self.damage(scan, name, .bytesAfterSeal) }
            return 0
        }
        if let fault = scan.fault, let damage = Self.certainDamage(fault, scan, name) { throw damage }
        let syncsEachFrame = scan.header.syncModeCode == SyncMode.always.code
        let largestFrame = UInt64(FrameHeader.frameBytes(payload: FrameHeader.maximumPayloadBytes))
        let verdict = TailVerdict.of(
            TailEvidence(
                restIsZero: tailBytes == 0,
                laterFrameProvesDurable: tail.laterFrameProvesDurable,
                afterCleanShutdown: scan.lastKind == .cleanShutdown,
                fitsControlFrame: tailBytes <= UInt64(FrameHeader.byteCount),
                fitsInFlight: !syncsEachFrame || tailBytes <= largestFrame))
        switch verdict {
        case .cleanEnd: return 0
        case .tornTail: return tailBytes
        case .durableFrameDamaged: throw Self.damage(scan, name, .durableFrame(scan.fault ?? .zeros))
        case .tailTooLarge: throw Self.damage(scan, name, .tailTooLarge(bytes: tailBytes))
        case .bytesAfterCleanShutdown:
            throw Self.damage(scan, name, .bytesAfterCleanShutdown(bytes: tailBytes))
        }
    }

    /// Faults of a frame with correct checksums: no torn write leaves these.
    private static func certainDamage(_ fault: FrameFault, _ scan: SegmentScan, _ name: SegmentName) -> LogError? {
        switch fault {
        case .revision, .content, .payloadLength: Self.damage(scan, name, .durableFrame(fault))
        case .unknownType: .unsupported(file: name.description, detail: "\(fault) at offset \(scan.offset)")
        default: nil
        }
    }

    private static func damage(_ scan: SegmentScan, _ name: SegmentName, _ reason: Corruption.Reason) -> LogError {
        Self.damage(name, at: scan.offset, after: scan.nextRevision - 1, reason)
    }
}
