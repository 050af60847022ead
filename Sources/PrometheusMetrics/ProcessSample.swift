/// The process at one moment. A field that could not be read is 0.
public struct ProcessSample: Sendable, Equatable {
    public var pid = 0
    /// User and system time of all threads since the start.
    public var cpuSeconds = 0.0
    public var residentMemoryBytes: UInt64 = 0
    var virtualMemoryBytes: UInt64 = 0
    /// The limit of the address space; 2^64 - 1 if there is none.
    var virtualMemoryMaxBytes: UInt64 = 0
    public var openFDs = 0
    /// The soft limit of file descriptors.
    public var maxFDs = 0
    public var threads = 0
    /// Seconds since 1970.
    var startTimeSeconds = 0.0

    /// Bytes of IP packets of all processes in this process's network namespace.
    var networkReceivedBytes: UInt64 = 0
    var networkSentBytes: UInt64 = 0

    public init() {}
}
