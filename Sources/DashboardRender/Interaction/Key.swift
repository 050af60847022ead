/// A key or a click, as the terminal reports it.
public enum Key: Sendable, Hashable {
    /// Text, and control characters other than those below.
    case character(Unicode.Scalar)
    /// Pasted text, if the terminal marks it: never a command.
    case pasted(Unicode.Scalar)
    case up, down, left, right, pageUp, pageDown, home, end
    case tab, backTab, enter, escape, backspace, f1
    /// At a row and a column from 0.
    case click(row: Int, column: Int)
    case wheelUp, wheelDown

    /// Ctrl and a letter.
    public static func control(_ letter: Unicode.Scalar) -> Key {
        .character(Unicode.Scalar(UInt8(letter.value & 0x1F)))
    }
}

/// What the loop must do after a key.
public enum Command: Sendable, Equatable {
    case quit
    case suspend
    case repaint
    case pollNow
    case setInterval(seconds: Double)
    /// Start a compaction of this target, by its index in the list of targets: one `POST`.
    case compact(target: Int)
    case writeSnapshot
    case resetSession
    /// By this many seconds of the recording.
    case seek(seconds: Double)
    /// This many times the recorded speed.
    case setReplaySpeed(Double)
}
