/// How often and how fast what lies still is checked.
package struct ScrubPolicy: Sendable, Equatable {
    /// From the end of a pass to the beginning of the next one.
    package var intervalSeconds = 86_400.0
    /// The most that is read in a second.
    package var bytesPerSecond: UInt64 = 8 << 20

    package init() {}
}

/// What the background check of the files found. Times are nanoseconds since 1970.
package struct ScrubStatus: Sendable, Equatable {
    package struct Pass: Sendable, Equatable {
        package var startedAt: UInt64
        package var durationNanoseconds: UInt64 = 0
        package var files = 0
        package var bytes: UInt64 = 0
        /// What was damaged, with file and offset; files that could not be read count too.
        package var findings: [String] = []
    }

    /// The pass that is under way, with the part of its bytes that has been read, 0 to 1.
    package var running: Pass?
    package var progress = 0.0
    package var last: Pass?
    package var passes: UInt64 = 0
    package var findings: UInt64 = 0
    package var bytes: UInt64 = 0

    package init() {}
}
