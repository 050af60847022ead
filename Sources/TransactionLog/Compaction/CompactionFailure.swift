public import DurableFiles
public import LogFormat

/// Why a compaction did not complete. No data is lost.
public enum CompactionFailure: Error, CustomStringConvertible {
    /// The log is closing or accepts no writes any more.
    case stopped
    case insufficientSpace(neededBytes: UInt64, availableBytes: UInt64)
    /// All garbage is in the active segment, and no prepared segment can follow it.
    case noSegment
    /// The space ran out while a part was being written.
    case diskFull(SystemError)
    case log(LogError)

    init(_ error: LogError) {
        if case .system(let error) = error, error.isOutOfSpace {
            self = .diskFull(error)
        } else {
            self = .log(error)
        }
    }

    public var description: String {
        switch self {
        case .stopped: "the log accepts no writes any more"
        case .insufficientSpace(let needed, let available):
            "it needs \(needed) bytes of free space and there are \(available)"
        case .noSegment:
            "all garbage is in the active segment, and no prepared segment can follow it"
        case .diskFull(let error): "\(error)"
        case .log(let error): "\(error)"
        }
    }
}
