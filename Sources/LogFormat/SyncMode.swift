/// When a write is acknowledged.
public enum SyncMode: Equatable, Sendable, CustomStringConvertible {
    /// After `fdatasync` returned for its bytes.
    case always
    /// After `write`; `fdatasync` follows at most this many milliseconds later. A crash of the machine can lose them.
    case interval(milliseconds: UInt32)
    /// After `write`; the system decides when the bytes reach the disk.
    case never

    /// Reads `always`, `interval:<ms>` with 1 to 60,000 ms, or `never`.
    public init?(_ text: String) {
        if text == "always" {
            self = .always
        } else if text == "never" {
            self = .never
        } else if text.hasPrefix("interval:"), let milliseconds = UInt32(text.dropFirst(9)),
            (1...60_000).contains(milliseconds)
        {
            self = .interval(milliseconds: milliseconds)
        } else {
            return nil
        }
    }

    public var description: String {
        switch self {
        case .always: "always"
        case .interval(let milliseconds): "interval:\(milliseconds)"
        case .never: "never"
        }
    }

    /// As stored in a segment's header.
    public var code: UInt32 {
        switch self {
        case .always: 0
        case .interval: 1
        case .never: 2
        }
    }
}
