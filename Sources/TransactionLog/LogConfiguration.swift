import Glibc
package import LogFormat

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
