import KeyValueStore
import LogFormat
import TransactionLog

/// A store that a command opens for itself, as a service would.
enum OfflineEngine {
    /// Opens the folder, which begins a store when there is none, and closes it in good order after `body`.
    static func use<Result>(
        _ directory: String, command: String, segmentBytes: Int, _ body: (EmbeddedEngine) throws -> Result
    ) throws -> Result {
        var configuration = LogConfiguration(directory: directory, owner: LockedFolder.owner(command))
        configuration.segmentBytes = segmentBytes
        // Nothing starts by itself, and nobody's commits are slowed down.
        configuration.compaction.minBytes = .max
        configuration.compaction.bytesPerSecond = 1 << 40
        let line = ProgressLine("reading")
        let engine: EmbeddedEngine
        do {
            defer { line.end() }
            engine = try EmbeddedEngine(opening: configuration, progress: { read, _ in line.update(read) })
        }
        if let tail = engine.report.tornTail {
            Output.tell(
                "txlog: the log ended in an unfinished write: cut, and its \(tail.bytes) bytes kept as "
                    + "\(directory)/\(tail.quarantined)\n")
        }
        defer { engine.close() }
        let result = try body(engine)
        if let failure = engine.statistics.failure { throw ToolFailure(.system(failure)) }
        return result
    }
}
