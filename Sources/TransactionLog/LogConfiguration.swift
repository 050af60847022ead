import Glibc
public import LogFormat

public struct LogConfiguration: Sendable {
    public static let defaultSegmentBytes = 64 << 20

    /// The folder of the log; created with mode 0700 if it is missing.
    public var directory: String
    public var syncMode = SyncMode.always
    /// Size of a segment in bytes. A single larger frame makes its segment longer.
    public var segmentBytes = Self.defaultSegmentBytes
    /// Maximum number of commands, and of their bytes, that wait for the writer; more are refused.
    public var queueLimit = 65_536
    public var queueLimitBytes = 64 << 20
    /// Time without writes after which a heartbeat proves that the last commit was durable.
    public var heartbeatMilliseconds = 100
    /// Retry interval for preparing a segment.
    public var prepareRetryMilliseconds = 1_000
    /// Interval between two checks whether the folder is still the one that was opened.
    public var watchMilliseconds = 200
    /// Threads that verify files at the start ahead of the replay, which uses one core itself.
    public var verifyingThreads = max(0, sysconf(Int32(_SC_NPROCESSORS_ONLN)) - 1)
    public var compaction = CompactionPolicy()
    public var scrub = ScrubPolicy()
    /// Called before each numbered step with its name, for tests that end the process there.
    public var failPoint: (@Sendable (String) -> Void)?
    /// The owner's text for the lock file: program name and process id.
    public var owner: String

    public init(directory: String, owner: String) {
        self.directory = directory
        self.owner = owner
    }

    /// Payload bytes after which no further transaction is added to a frame.
    var frameTargetBytes: Int { min(4 << 20, self.segmentBytes / 2) }
}
