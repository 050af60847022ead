/// When a key expires. In an entry that has not been staged yet a number of 8 bytes, see ``encoded``.
public enum Expiry: BitwiseCopyable, Sendable, Equatable {
    case never
    /// So many milliseconds after the write.
    case after(milliseconds: UInt64)
    /// Milliseconds since 1970.
    case at(milliseconds: UInt64)

    private static let relative: UInt64 = 1 << 63

    /// 0 for never; the highest bit marks a duration.
    var encoded: UInt64 {
        switch self {
        case .never: 0
        case .after(let milliseconds): Self.relative | milliseconds
        // Later ones are all as good as never.
        case .at(let milliseconds): min(milliseconds, Self.relative - 1)
        }
    }

    /// The time that an encoded expiry means for a write at `now`, milliseconds since 1970; 0 for never.
    static func time(_ encoded: UInt64, now: UInt64) -> UInt64 {
        encoded & Self.relative == 0 ? encoded : now + (encoded & ~Self.relative)
    }

    /// The time that it means for a write at `now`, milliseconds since 1970; 0 for never.
    public func time(now: UInt64) -> UInt64 { Self.time(self.encoded, now: now) }
}
