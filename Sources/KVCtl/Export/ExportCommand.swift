import ArgumentParser
import Glibc
import KeyValueClient
import SystemSupport

struct ExportCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write all records as NDJSON, in the order of their keys.",
        discussion: """
            A line is {"key":…,"value":…,"revision":N}, with key_b64 and value_b64 for bytes that are not UTF-8, and \
            expires_at if the key expires. 'kvctl import' and 'txlog import' read it. Each page of up to 1,000 records \
            is one state of the store; a key that others change meanwhile may be in the file as it was or as it is.

            With --resume the place is kept in a file, and the next run with it continues the output file there.
            """)

    @OptionGroup var range: RangeOptions
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Write to this new file instead of standard output, and sync it.", valueName: "file"),
        completion: .file())
    var output: String?
    @Option(
        help: ArgumentHelp("Keep the place in this file, and begin at it if it exists.", valueName: "checkpoint"),
        completion: .file())
    var resume: String?
    @OptionGroup var connection: ConnectionOptions

    /// As for an import.
    var maxAttempts: Int { .max }

    func validate() throws {
        if self.resume != nil, self.output == nil { throw ValidationError("--resume needs --output") }
    }

    func run(_ session: Session) throws {
        let range: KeyRange = try self.range.bytes().map { .prefix($0) } ?? .all
        var run = try ExportRun(to: self.output, checkpoint: self.resume)
        do { try self.copy(range, session, to: &run) } catch {
            // What is written stays, and is continued.
            try run.writeCheckpoint()
            throw error
        }
        try run.finish()
        if let output = self.output { StandardStream.tell("kvctl: \(run.records) records written to \(output)\n") }
    }

    private func copy(_ range: KeyRange, _ session: Session, to run: inout ExportRun) throws {
        if run.isComplete { return }
        let progress = ProgressLine("exporting")
        defer { progress.end() }
        var pages = session.client.keys(range, values: true, after: run.cursor).makeAsyncIterator()
        while true {
            // The main thread writes: a slow pipe delays no request.
            let (page, rest) = try session.wait { [pages] _ in
                var rest = pages
                return (try await rest.next(), rest)
            }
            guard let page else { return }
            pages = rest
            try run.append(page)
            progress.update("\(run.records) records, \(Int(Double(run.records) / max(progress.seconds, 0.001)))/s")
        }
    }
}
