import Glibc

/// When a write is acknowledged.
package enum SyncMode: Equatable, Sendable, CustomStringConvertible {
    /// After `fdatasync` returned for its bytes.
    case always
    /// After `write`; `fdatasync` follows at most this many milliseconds later. A crash of the machine can lose them.
    case interval(milliseconds: UInt32)
    /// After `write`; the system decides when the bytes reach the disk.
    case never

    /// Reads `always`, `interval:<ms>` with 1 to 60,000 ms, or `never`.
    package init?(_ text: String) {
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

    package var description: String {
        switch self {
        case .always: "always"
        case .interval(let milliseconds): "interval:\(milliseconds)"
        case .never: "never"
        }
    }

    /// As stored in a segment's header.
    var code: UInt32 {
        switch self {
        case .always: 0
        case .interval: 1
        case .never: 2
        }
    }
}

package struct LogConfiguration: Sendable {
    package static let defaultSegmentBytes = 64 << 20

    /// The folder of the log; made with mode 0700 when absent.
    package var directory: String
    package var syncMode = SyncMode.always
    /// Size of a segment in bytes. A single frame that is larger makes its segment longer.
    package var segmentBytes = Self.defaultSegmentBytes
    /// Commands and their bytes that may wait for the writer; more are refused.
    package var queueLimit = 65_536
    package var queueLimitBytes = 64 << 20
    /// Quiet time after which a heartbeat proves that the last commit was durable.
    package var heartbeatMilliseconds = 100
    /// Time after which it is tried again to prepare a segment that could not be.
    package var prepareRetryMilliseconds = 1_000
    /// Time between two looks at whether the folder is still the one that was opened.
    package var watchMilliseconds = 200
    /// Threads that check files at the start ahead of the replay, which takes one core itself.
    package var verifyingThreads = max(0, sysconf(Int32(_SC_NPROCESSORS_ONLN)) - 1)
    package var compaction = CompactionPolicy()
    package var scrub = ScrubPolicy()
    /// Called with the name of each numbered step before it, for tests that end the process there.
    package var failPoint: (@Sendable (String) -> Void)?
    /// Who holds the folder, for the lock file: a program name and its pid.
    package var owner: String

    package init(directory: String, owner: String) {
        self.directory = directory
        self.owner = owner
    }

    /// Payload bytes after which no further transaction joins a frame.
    var frameTargetBytes: Int { min(4 << 20, self.segmentBytes / 2) }
}
