import Glibc
package import LogFormat

package struct LogConfiguration: Sendable {
    package static let defaultSegmentBytes = 64 << 20

    /// The folder of the log; created with mode 0700 if it is missing.
    package var directory: String
    package var syncMode = SyncMode.always
    /// Size of a segment in bytes. A single larger frame makes its segment longer.
    package var segmentBytes = Self.defaultSegmentBytes
    /// Maximum number of commands, and of their bytes, that wait for the writer; more are refused.
    package var queueLimit = 65_536
    package var queueLimitBytes = 64 << 20
    /// Time without writes after which a heartbeat proves that the last commit was durable.
    package var heartbeatMilliseconds = 100
    /// Retry interval for preparing a segment.
    package var prepareRetryMilliseconds = 1_000
    /// Interval between two checks whether the folder is still the one that was opened.
    package var watchMilliseconds = 200
    /// Threads that verify files at the start ahead of the replay, which uses one core itself.
    package var verifyingThreads = max(0, sysconf(Int32(_SC_NPROCESSORS_ONLN)) - 1)
    package var compaction = CompactionPolicy()
    package var scrub = ScrubPolicy()
    /// Called before each numbered step with its name, for tests that end the process there.
    package var failPoint: (@Sendable (String) -> Void)?
    /// The owner's text for the lock file: program name and process id.
    package var owner: String

    package init(directory: String, owner: String) {
        self.directory = directory
        self.owner = owner
    }

    /// Payload bytes after which no further transaction is added to a frame.
    var frameTargetBytes: Int { min(4 << 20, self.segmentBytes / 2) }
}
