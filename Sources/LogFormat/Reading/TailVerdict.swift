/// What was found behind the last good frame of the segment that was being written.
package struct TailEvidence: Equatable, Sendable {
    /// Everything from there to the end of the file is zero, or there is nothing.
    package var restIsZero: Bool
    /// A later frame is intact and says that the segment had been synced past this place.
    package var laterFrameProvesDurable: Bool
    /// The last good frame is a clean shutdown: nothing but the next start's heartbeat can have followed it.
    package var afterCleanShutdown: Bool
    /// What follows is no longer than one frame without transactions.
    package var fitsControlFrame: Bool
    /// What follows is no longer than what can have been in flight: one frame if every commit was synced.
    package var fitsInFlight: Bool

    package init(
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

/// How a start goes on with the tail of the log.
package enum TailVerdict: String, Sendable, CaseIterable {
    /// The log ends here.
    case cleanEnd
    /// The last write never finished, so it was never acknowledged: put aside, cut and reported.
    case tornTail
    /// Durable data is damaged: the start is refused.
    case durableFrameDamaged
    /// More is damaged than a write can have left: the start is refused.
    case tailTooLarge
    /// Something was written into a log that had been closed: the start is refused.
    case bytesAfterCleanShutdown

    /// The verdicts in order of precedence: the first row that holds decides.
    ///
    /// | rest is zero | later frame proves durable | after clean shutdown | fits | verdict |
    /// | --- | --- | --- | --- | --- |
    /// | yes | – | – | – | clean end |
    /// | no | yes | – | – | durable frame damaged |
    /// | no | no | yes | control frame | torn tail |
    /// | no | no | yes | more | bytes after clean shutdown |
    /// | no | no | no | in flight | torn tail |
    /// | no | no | no | more | tail too large |
    package static func of(_ evidence: TailEvidence) -> TailVerdict {
        if evidence.restIsZero { return .cleanEnd }
        if evidence.laterFrameProvesDurable { return .durableFrameDamaged }
        if evidence.afterCleanShutdown { return evidence.fitsControlFrame ? .tornTail : .bytesAfterCleanShutdown }
        return evidence.fitsInFlight ? .tornTail : .tailTooLarge
    }
}
