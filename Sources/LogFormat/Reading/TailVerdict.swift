/// The findings behind the last intact frame of the active segment.
public struct TailEvidence: Equatable, Sendable {
    /// Everything up to the end of the file is zero, or there is nothing.
    public var restIsZero: Bool
    /// A later frame is intact and proves that the segment had been synced past this place.
    public var laterFrameProvesDurable: Bool
    /// The last intact frame is a clean shutdown: only the next start's heartbeat can have followed it.
    public var afterCleanShutdown: Bool
    /// The rest is not longer than one frame without transactions.
    public var fitsControlFrame: Bool
    /// The rest is not longer than what can have been in flight: one frame if every commit was synced.
    public var fitsInFlight: Bool

    public init(
        restIsZero: Bool, laterFrameProvesDurable: Bool, afterCleanShutdown: Bool, fitsControlFrame: Bool,
        fitsInFlight: Bool
    ) {
        self.restIsZero = restIsZero
        self.laterFrameProvesDurable = laterFrameProvesDurable
        self.afterCleanShutdown = afterCleanShutdown
        self.fitsControlFrame = fitsControlFrame
        self.fitsInFlight = fitsInFlight
    }
}

/// How a start treats the tail of the log.
public enum TailVerdict: String, Sendable, CaseIterable {
    /// The log ends here.
    case cleanEnd
    /// The last write is unfinished, so it was never acknowledged: its bytes are kept, cut off and reported.
    case tornTail
    /// Durable data is damaged: the start is refused.
    case durableFrameDamaged
    /// More is damaged than one write can leave: the start is refused.
    case tailTooLarge
    /// Something was written to a log after it was closed: the start is refused.
    case bytesAfterCleanShutdown

    /// The verdicts in order of precedence: the first matching row decides.
    ///
    /// | rest is zero | later frame proves durable | after clean shutdown | fits | verdict |
    /// | --- | --- | --- | --- | --- |
    /// | yes | – | – | – | clean end |
    /// | no | yes | – | – | durable frame damaged |
    /// | no | no | yes | control frame | torn tail |
    /// | no | no | yes | more | bytes after clean shutdown |
    /// | no | no | no | in flight | torn tail |
    /// | no | no | no | more | tail too large |
    public static func of(_ evidence: TailEvidence) -> TailVerdict {
        if evidence.restIsZero { return .cleanEnd }
        if evidence.laterFrameProvesDurable { return .durableFrameDamaged }
        if evidence.afterCleanShutdown { return evidence.fitsControlFrame ? .tornTail : .bytesAfterCleanShutdown }
        return evidence.fitsInFlight ? .tornTail : .tailTooLarge
    }
}
