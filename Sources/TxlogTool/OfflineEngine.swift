import KeyValueStore
import LogFormat
import OfflineStore
import SystemSupport
import TransactionLog

/// A store that a command opens itself, like a service.
enum OfflineEngine {
    /// Opens the folder, creating a store if there is none, and closes it cleanly after `body`.
    static func use<Result>(
        _ directory: String, command: String, segmentBytes: Int, _ body: (EmbeddedEngine) throws -> Result
    ) throws -> Result {
        var configuration = LogConfiguration(directory: directory, owner: LockedFolder.owner(command))
        configuration.segmentBytes = segmentBytes
        // Nothing starts automatically, and there are no clients whose commits could be delayed.
        configuration.compaction.minBytes = .max
        configuration.compaction.bytesPerSecond = 1 << 40
        let line = ProgressLine("reading")
        let engine: EmbeddedEngine
        do {
            defer { line.end() }
            engine = try EmbeddedEngine(opening: configuration, progress: { read, _ in line.update(read) })
        }
        if let tail = engine.report.tornTail {
            StandardStream.tell(
                "txlog: the log ended with an unfinished write: cut off, its \(tail.bytes) bytes are kept as "
                    + "\(directory)/\(tail.quarantined)\n")
        }
        defer { engine.close() }
        let result = try body(engine)
        if let failure = engine.statistics.failure { throw ToolFailure(.system(failure)) }
        return result
    }
}
