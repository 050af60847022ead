import ArgumentParser
import JSON
import KeyValueStore
import LogFormat
import OfflineStore
import TransactionLog

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write all records as NDJSON, in the order of their keys.",
        discussion: """
            A line is {"key":…,"value":…,"revision":…}; keys and values that are not UTF-8 are in base64 as "key_b64" \
            and "value_b64". Changes nothing in the folder. Exit codes as for 'verify': behind a torn tail, 2, nothing \
            is missing that was acknowledged.

            A damaged log is exported with --skip-damage only: every frame that holds its checksums counts, also behind \
            damage. A key that was last set before a revision that is unknown has "may_be_older":true in its line: it \
            may have been changed or deleted since. Standard error says what was skipped in which file. The exit code \
            is 5 then.
            """)

    @OptionGroup var folder: FolderArgument
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A new file, made durable, in place of standard output.", valueName: "file"),
        completion: .file())
    var output: String?
    @Flag(help: "Write what a damaged log still holds.") var skipDamage = false

    func run() throws {
        let directory = self.folder.directory
        let inspection = try LockedFolder.read(directory) {
            let image = try LockedFolder.image(directory, skipsDamage: self.skipDamage)
            if image.inspection.isDamaged && !self.skipDamage {
                throw ToolFailure(
                    .corruption,
                    "the log is damaged, see: \(ToolCommand.verify(directory)); what it still holds is written by: "
                        + ToolCommand.salvage(directory, to: self.output ?? "kv.ndjson"))
            }
            let output = try self.output.map { path throws(ToolFailure) in try Output(creating: path) }
            let unproven = Self.write(image, to: output ?? .standard)
            try output?.sync()
            Output.standard.flush()
            if image.inspection.isDamaged {
                let report = SalvageReport(inspection: image.inspection)
                Output.tell(report.files.map { "txlog: \($0)\n" }.joined())
                Output.tell("txlog: \(report.revisions)\n")
            }
            if self.output != nil || image.inspection.isDamaged {
                let place = self.output ?? "standard output"
                let doubt = unproven == 0 ? "" : "; \(unproven) of them may have been changed or deleted since"
                Output.tell("txlog: \(image.figures.keys) records written to \(place)\(doubt)\n")
            }
            return image.inspection
        }
        if inspection.isDamaged { throw ExitCode(ToolStatus.incomplete.rawValue) }
        if let tail = inspection.tornTail {
            Output.tell(
                "txlog: the log ends in a write that never finished, \(tail.bytes) bytes in \(tail.file): all that was "
                    + "acknowledged is exported\n")
        }
        Output.standard.flush()
        throw ExitCode(ToolStatus(inspection).rawValue)
    }

    /// - Returns: how many records may have been changed or deleted since.
    private static func write(_ image: StoreImage, to output: Output) -> Int {
        let line = ProgressLine("exporting")
        defer { line.end() }
        var (count, unproven) = (0, 0)
        image.forEach { record in
            var writer = JSONWriter()
            writer.object { object in
                unsafe object.member("key", orBase64: "key_b64", record.key)
                unsafe object.member("value", orBase64: "value_b64", record.value)
                object.member("revision", record.revision)
                if !image.isProven(record) {
                    object.member("may_be_older", true)
                    unproven += 1
                }
            }
            writer.newline()
            output.write(writer.bytes)
            count += 1
            line.update("\(count) of \(image.figures.keys) records")
            return true
        }
        return unproven
    }
}
