/// How often and how fast files that do not change are checked.
package struct ScrubPolicy: Sendable, Equatable {
    /// From the end of a pass to the start of the next one.
    package var intervalSeconds = 86_400.0
    /// Maximum bytes read per second.
    package var bytesPerSecond: UInt64 = 8 << 20

    package init() {}
}

/// The results of the scrub. Times are nanoseconds since 1970.
package struct ScrubStatus: Sendable, Equatable {
    package struct Pass: Sendable, Equatable {
        package var startedAt: UInt64
        package var durationNanoseconds: UInt64 = 0
        package var files = 0
        package var bytes: UInt64 = 0
        /// Damage, with file and offset; unreadable files count too.
        package var findings: [String] = []
    }

    /// The running pass, with the share of its bytes that has been read, 0 to 1.
    package var running: Pass?
    package var progress = 0.0
    package var last: Pass?
    package var passes: UInt64 = 0
    package var findings: UInt64 = 0
    package var bytes: UInt64 = 0

    package init() {}
}
