import ArgumentParser
import JSON
import KeyValueStore
import LogFormat
import OfflineStore
import SystemSupport
import TransactionLog

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write all records as NDJSON, in the order of their keys.",
        discussion: """
            A line is {"key":…,"value":…,"revision":…}; keys and values that are not UTF-8 are base64 in "key_b64" \
            and "value_b64"; a key that expires has "expires_at". Changes nothing in the folder. Exit codes as for 'verify'; with code 2, a torn tail, \
            nothing acknowledged is missing.

            A damaged log is exported only with --skip-damage: all frames with correct checksums are used, also behind \
            damage. If a key was last set before an unknown revision, its line has "may_be_older":true: the key may \
            have been changed or deleted since. Standard error lists what was skipped in each file. The exit code is \
            5 then.
            """)

    @OptionGroup var folder: FolderArgument
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Write to this new file instead of standard output, and sync it.", valueName: "file"),
        completion: .file())
    var output: String?
    @Flag(help: "Write all that a damaged log still contains.") var skipDamage = false

    func run() throws {
        let directory = self.folder.directory
        let inspection = try LockedFolder.read(directory) {
            let image = try LockedFolder.image(directory, skipsDamage: self.skipDamage)
            if image.inspection.isDamaged && !self.skipDamage {
                throw ToolFailure(
                    .dataCorrupt,
                    "the log is damaged, see: \(ToolCommand.verify(directory)); to write all that it still contains: "
                        + ToolCommand.salvage(directory, to: self.output ?? "kv.ndjson"))
            }
            let output = try self.output.map { path throws(ToolFailure) in try Output(creating: path) }
            let unproven = Self.write(image, to: output ?? .standard)
            try output?.sync()
            Output.standard.flush()
            if image.inspection.isDamaged {
                let report = SalvageReport(inspection: image.inspection)
                StandardStream.tell(report.files.map { "txlog: \($0)\n" }.joined())
                StandardStream.tell("txlog: \(report.revisions)\n")
            }
            if self.output != nil || image.inspection.isDamaged {
                let place = self.output ?? "standard output"
                let doubt = unproven == 0 ? "" : "; \(unproven) of them may have been changed or deleted since"
                StandardStream.tell("txlog: \(image.figures.keys) records written to \(place)\(doubt)\n")
            }
            return image.inspection
        }
        if inspection.isDamaged { throw ExitCode(ProgramExit.incomplete.rawValue) }
        if let tail = inspection.tornTail {
            StandardStream.tell(
                "txlog: the log ends with an unfinished write, \(tail.bytes) bytes in \(tail.file): everything "
                    + "acknowledged is exported\n")
        }
        Output.standard.flush()
        throw ExitCode(ProgramExit(inspection).rawValue)
    }

    /// - Returns: the number of records that may have been changed or deleted since.
    private static func write(_ image: StoreImage, to output: Output) -> Int {
        let line = ProgressLine("exporting")
        defer { line.end() }
        var (count, unproven) = (0, 0)
        image.forEach { record in
            var writer = JSONWriter()
            writer.object { object in
                object.member("key", orBase64: "key_b64", unsafe Array(record.key))
                object.member("value", orBase64: "value_b64", unsafe Array(record.value))
                object.member("revision", record.revision)
                if record.expiresAt != 0 { object.member("expires_at", record.expiresAt) }
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
