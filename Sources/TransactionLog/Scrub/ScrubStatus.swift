/// How often and how fast files that do not change are checked.
public struct ScrubPolicy: Sendable, Equatable {
    /// From the end of a pass to the start of the next one.
    public var intervalSeconds = 86_400.0
    /// Maximum bytes read per second.
    public var bytesPerSecond: UInt64 = 8 << 20

    public init() {}
}

/// The results of the scrub. Times are nanoseconds since 1970.
public struct ScrubStatus: Sendable, Equatable {
    public struct Pass: Sendable, Equatable {
        public var startedAt: UInt64
        public var durationNanoseconds: UInt64 = 0
        public var files = 0
        public var bytes: UInt64 = 0
        /// Damage, with file and offset; unreadable files count too.
        public var findings: [String] = []
    }

    /// The running pass, with the share of its bytes that has been read, 0 to 1.
    public var running: Pass?
    public var progress = 0.0
    public var last: Pass?
    public var passes: UInt64 = 0
    public var findings: UInt64 = 0
    public var bytes: UInt64 = 0

    public init() {}
}
