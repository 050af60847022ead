import ArgumentParser
import JSON
import KeyValueClient
import SystemSupport

struct ImportCommand: ClientCommand {
    static let mostParallel = 256

    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Set the records of an NDJSON file.",
        discussion: """
            A line is {"key":…,"value":…}, with key_b64 and value_b64 for bytes that are not UTF-8, and expires_at (ms \
            since 1970) if the key expires: what 'kvctl export' and 'txlog export' write. Blank lines are skipped; any \
            other line that is not a record is refused with its number.

            Sets of different keys are sent at the same time, those of one key in the order of the file. At the first \
            line that is refused the import ends; some lines behind it may be applied already. With --resume the place \
            is kept in a file, and the next run with it continues there. Lines that were under way may be set again.
            """)

    @Argument(help: ArgumentHelp("File to import; - is standard input.", valueName: "file"), completion: .file())
    var file: String
    @Option(help: ArgumentHelp("Sets at a time: 1 to \(ImportCommand.mostParallel).", valueName: "number"))
    var parallel = 32
    @Option(
        help: ArgumentHelp("Keep the place in this file, and begin at it if it exists.", valueName: "checkpoint"),
        completion: .file())
    var resume: String?
    @Flag(help: "Check all lines, and send nothing.") var dryRun = false
    @OptionGroup var connection: ConnectionOptions

    /// An import outlives the restart of a service: only the timeout ends the attempts.
    var maxAttempts: Int { .max }

    func validate() throws {
        guard 1...Self.mostParallel ~= self.parallel else {
            throw ValidationError("--parallel \(self.parallel): give 1 to \(Self.mostParallel)")
        }
        if self.dryRun, self.resume != nil { throw ValidationError("--dry-run and --resume cannot be combined") }
    }

    func run(_ session: Session) throws {
        let client = session.client
        let set: @Sendable (ImportedRecord) async throws -> Void = { record in
            try await client.set(record.key, record.value, expiry: record.expiresAt.map { .at(milliseconds: $0) })
        }
        var run = try ImportRun(self.file, checkpoint: self.resume, parallel: self.parallel, set: set)
        if self.dryRun {
            let (records, bytes) = try run.check()
            try self.report(session, "records", records, "\(records) records, \(bytes) bytes; nothing was sent")
            return
        }
        try run.perform(isJSON: session.isJSON)
        let records = run.records
        try self.report(session, "imported", records, "\(records) records imported")
    }

    private func report(_ session: Session, _ name: String, _ count: Int, _ text: String) throws {
        if session.isJSON {
            try Output.object { $0.member(name: name, count) }
        } else {
            try Output.write("\(text)\n")
        }
    }
}
