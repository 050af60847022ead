package import DurableFiles
package import LogFormat

/// Why a compaction did not come to its end. Nothing is lost by it.
package enum CompactionFailure: Error, CustomStringConvertible {
    /// The log is closing or takes no writes any more.
    case stopped
    case insufficientSpace(neededBytes: UInt64, availableBytes: UInt64)
    /// All that could be given back is in the active segment, and there is no prepared one to follow it.
    case noSegment
    /// The space went while a part was being written.
    case diskFull(SystemError)
    case log(LogError)

    init(_ error: LogError) {
        if case .system(let error) = error, error.isOutOfSpace {
            self = .diskFull(error)
        } else {
            self = .log(error)
        }
    }

    package var description: String {
        switch self {
        case .stopped: "the log takes no writes any more"
        case .insufficientSpace(let needed, let available):
            "it needs \(needed) bytes of free space and there are \(available)"
        case .noSegment:
            "all that it could give back is in the active segment, and no other segment is prepared to follow that one"
        case .diskFull(let error): "\(error)"
        case .log(let error): "\(error)"
        }
    }
}
