import ArgumentParser
import JSONLogging
import KeyValueStore
import TransactionLog

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write all records as NDJSON, in the order of their keys.",
        discussion: """
            A line is {"key":…,"value":…,"version":…}; keys and values that are not UTF-8 are in base64 as "key_b64" \
            and "value_b64". Changes nothing in the folder. A damaged log is not exported; 'txlog dump' shows what of \
            it can be read. Exit codes as for 'verify': behind a torn tail, 2, nothing is missing that was acknowledged.
            """)

    @OptionGroup var folder: FolderArgument
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A new file, made durable, in place of standard output.", valueName: "file"),
        completion: .file())
    var output: String?

    func run() throws {
        let directory = self.folder.directory
        let inspection = try LockedFolder.read(directory) {
            let image = try LockedFolder.image(directory)
            if image.inspection.isDamaged {
                throw ToolFailure(
                    .corruption,
                    "the log is damaged, see: \(ToolCommand.verify(directory)); what can be read of it is shown by: "
                        + "txlog dump \(ToolCommand.word(directory))")
            }
            let output = try self.output.map { path throws(ToolFailure) in try Output(creating: path) }
            Self.write(image, to: output ?? .standard)
            try output?.synchronize()
            if let path = self.output {
                Output.error.write("txlog: \(image.figures.keys) records written to \(path)\n")
            }
            return image.inspection
        }
        if let tail = inspection.tornTail {
            Output.error.write(
                "txlog: the log ends in a write that never finished, \(tail.bytes) bytes in \(tail.file): all that was "
                    + "acknowledged is exported\n")
        }
        Output.standard.flush()
        throw ExitCode(ToolStatus(inspection).rawValue)
    }

    private static func write(_ image: StoreImage, to output: Output) {
        let line = ProgressLine("exporting")
        defer { line.end() }
        var count = 0
        image.forEach { record in
            var writer = JSONWriter()
            writer.object { object in
                unsafe object.member("key", orBase64: "key_b64", record.key)
                unsafe object.member("value", orBase64: "value_b64", record.value)
                object.member("version", record.version)
            }
            writer.newline()
            output.write(writer.bytes)
            count += 1
            line.update("\(count) of \(image.figures.keys) records")
            return true
        }
    }
}
