import ArgumentParser
import Glibc
import KeyValueStore
import OfflineStore
import SystemSupport
import TransactionLog

struct CompactCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compact",
        abstract: "Replace the segments by a snapshot of the live records.",
        discussion: """
            The same compaction as in a running service: it can be interrupted at any moment without data loss. It \
            needs free space for the live records and as much memory as a start. It cuts a torn tail, as a start does.
            """)

    @OptionGroup var folder: FolderArgument

    func run() throws {
        let directory = self.folder.directory
        let before = try LockedFolder.read(directory) {
            try LockedFolder.inspect(directory, progress: "verifying")
        }
        if !before.damage.isEmpty {
            throw ToolFailure(.dataCorrupt, "the log is damaged, see: \(ToolCommand.verify(directory))")
        }
        let (outcome, left) = try OfflineEngine.use(
            directory, command: "compact", segmentBytes: before.usualSegmentBytes
        ) { engine in
            let outcome = try Self.compact(engine)
            return (outcome, engine.statistics.space.segments.count(where: \.sealed))
        }
        if let error = outcome.error { throw ToolFailure(.inputOutput, "not compacted: \(error)") }
        Output.standard.write(
            "Compacted from \(outcome.bytesBefore) to \(outcome.bytesAfter) bytes: \(outcome.keysKept) keys kept, "
                + "\(outcome.keysDropped) changes dropped, in \(outcome.durationNanoseconds / 1_000_000) ms.\n")
        if left > 0 {
            Output.standard.write(
                "There was space for the oldest segments only; \(left) segments are not compacted. Run it again, or "
                    + "free space first.\n")
        }
    }

    private static func compact(_ engine: EmbeddedEngine) throws -> CompactionStatus.Outcome {
        guard engine.compact() != nil else {
            throw ToolFailure(.inputOutput, "the compaction did not start")
        }
        let line = ProgressLine("compacting")
        defer { line.end() }
        while true {
            let status = engine.compaction
            if let last = status.last { return last }
            if let run = status.run {
                line.update("\(run.phase.rawValue), \(Int(run.progress * 100)) %, \(run.bytesWritten) bytes written")
            }
            usleep(20_000)
        }
    }
}
