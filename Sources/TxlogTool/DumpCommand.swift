import ArgumentParser
import JSON
import LogFormat
import OfflineStore
import TransactionLog

struct DumpCommand: ParsableCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, ndjson
    }

    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Write the operations of the log in its order, after the entries of the snapshot.",
        discussion: """
            A line is the revision, 'set', 'delete' or, of the snapshot, 'entry', the key, and the value. Keys and \
            values are in quotes, with \\xNN for bytes that are not text; with --format ndjson they are "key" and \
            "value", or "key_b64" and "value_b64" where they are not UTF-8. Behind damage the dump goes on with the \
            next segment. Changes nothing. Exit codes as for 'verify'.
            """)

    @OptionGroup var folder: FolderArgument
    @Option(help: "How to write it.") var format = Format.text
    @Option(help: ArgumentHelp("Leave out what is before this revision.", valueName: "revision")) var from: UInt64?
    @Option(help: ArgumentHelp("Leave out what is after this revision.", valueName: "revision")) var to: UInt64?
    @Option(help: ArgumentHelp("Keys that begin with this text only.", valueName: "text")) var keyPrefix: String?
    @Flag(name: .customLong("no-values"), help: "Write how many bytes a value has in place of it.") var withoutValues =
        false

    func validate() throws {
        if let from, let to, from > to { throw ValidationError("--from \(from) is after --to \(to).") }
    }

    func run() throws {
        let directory = self.folder.directory
        let writer = DumpWriter(isJSON: self.format == .ndjson, withoutValues: self.withoutValues)
        let revisions = (self.from ?? 0)...(self.to ?? .max)
        let prefix = Array((self.keyPrefix ?? "").utf8)
        let inspection = try LockedFolder.read(directory) {
            try LockedFolder.inspect(directory, progress: "reading") { item in
                if revisions.contains(item.revision), unsafe item.operation.key.starts(with: prefix) {
                    writer.write(item)
                }
                return nil
            }
        }
        Output.standard.flush()
        for damage in inspection.damage { Output.tell("txlog: left out what is behind damage: \(damage)\n") }
        if inspection.lostEnd != nil || inspection.cutFile != nil || inspection.tornTail != nil {
            Output.tell("txlog: the log's end is not whole, see: \(ToolCommand.verify(directory))\n")
        }
        throw ExitCode(ToolStatus(inspection).rawValue)
    }
}

/// Writes what `dump` finds, item by item.
final class DumpWriter {
    private let isJSON: Bool
    private let withoutValues: Bool
    private var origin: LoggedItem.Origin?

    init(isJSON: Bool, withoutValues: Bool) {
        self.isJSON = isJSON
        self.withoutValues = withoutValues
    }

    func write(_ item: LoggedItem) {
        Output.standard.write(self.isJSON ? self.json(item) : Array(self.text(item).utf8))
    }

    private func text(_ item: LoggedItem) -> String {
        var text = ""
        if item.origin != self.origin {
            self.origin = item.origin
            text = "# \(item.origin.file)\n"
        }
        text += "\(item.revision) \(item.name) \(unsafe RecordText.quoted(item.operation.key))"
        if item.operation.kind == .set {
            let count = unsafe item.operation.value.count
            text += self.withoutValues ? " (\(count) bytes)" : unsafe " \(RecordText.quoted(item.operation.value))"
        }
        return text + "\n"
    }

    private func json(_ item: LoggedItem) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { object in
            object.member("revision", item.revision)
            object.member("op", item.name)
            unsafe object.member("key", orBase64: "key_b64", item.operation.key)
            if item.operation.kind == .set {
                if self.withoutValues {
                    unsafe object.member("value_bytes", item.operation.value.count)
                } else {
                    unsafe object.member("value", orBase64: "value_b64", item.operation.value)
                }
            }
            object.member("file", item.origin.file)
        }
        writer.newline()
        return writer.bytes
    }
}

extension LoggedItem {
    fileprivate var name: String {
        switch (self.origin, self.operation.kind) {
        case (.part, _): "entry"
        case (_, .set): "set"
        case (_, .delete): "delete"
        }
    }
}

extension LoggedItem.Origin {
    var file: String {
        switch self {
        case .part(let name): "\(name)"
        case .segment(let name): "\(name)"
        }
    }
}
