import DurableFiles
import LogFormat
import Synchronization
import SystemSupport

/// Work on the log's files that only its writer may do, because it owns the segments: done between two batches.
enum WriterTask: Sendable {
    /// Moves to the next segment, so that all changes so far are in sealed ones, if at least this many prepared ones
    /// remain after it. Returns the newest revision.
    case rotate(leaving: Int, WriterReply<UInt64>)
    /// Commit point of a part of the snapshot.
    case install(Manifest.Part, replacing: Set<PartName>, WriterReply<Void>)
    /// Writes what the client keeps of the log up to a revision beside its records, for a compaction that removes that: one
    /// frame. Returns where to go on, nil at the end.
    case keepReceipts(upTo: UInt64, from: Int, WriterReply<Int?>)
    /// Keeps the files of the log as they are, all changes so far included. Also carried out if the log has failed, with
    /// what is durable. Returns nil if files are kept already.
    case capture(WriterReply<LogCapture?>)
    /// Commit point of a compaction. Returns the segments that are no longer listed: all that end with a revision up to
    /// this one and have a sequence before this one.
    case dropSegments(upTo: UInt64, before: UInt64, replacing: Set<PartName>, WriterReply<[SegmentName]>)

    /// Those need a log that accepts writes, and delay clients.
    var isOfCompaction: Bool {
        if case .capture = self { false } else { true }
    }

    func fail(_ failure: WriterTaskFailure) {
        switch self {
        case .rotate(_, let reply): reply.answer(.failure(failure))
        case .install(_, _, let reply): reply.answer(.failure(failure))
        case .keepReceipts(_, _, let reply): reply.answer(.failure(failure))
        case .dropSegments(_, _, _, let reply): reply.answer(.failure(failure))
        case .capture(let reply): reply.answer(.failure(failure))
        }
    }
}

enum WriterTaskFailure: Error, Equatable, Sendable {
    /// The log is closing, or has failed.
    case notWriting
    /// The call failed; the log continues.
    case system(SystemError)
}

/// Passes the result of a task to the thread that waits for it.
final class WriterReply<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, WriterTaskFailure>?>(nil)
    private let answered = MonotonicSemaphore()

    func answer(_ result: Result<Value, WriterTaskFailure>) {
        self.result.withLock { $0 = result }
        self.answered.signal()
    }

    /// Blocks. Call it once.
    func wait() throws(WriterTaskFailure) -> Value {
        self.answered.wait()
        guard let result = self.result.withLock({ $0 }) else { preconditionFailure("a reply without a result") }
        return try result.get()
    }
}
