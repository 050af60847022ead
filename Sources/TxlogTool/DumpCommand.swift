import ArgumentParser
import JSON
import LogFormat
import OfflineStore
import SystemSupport
import TransactionLog

struct DumpCommand: ParsableCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, ndjson
    }

    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Print the operations in the order of the log, after the entries of the snapshot.",
        discussion: """
            A line is the revision, the operation ('set', 'delete', or 'entry' for a record of the snapshot), the key \
            and the value. Keys and values are quoted, with \\xNN for bytes that are not text. With --format ndjson \
            they are "key" and "value", or base64 in "key_b64" and "value_b64" if they are not UTF-8. After damage, \
            the dump continues with the next segment. Changes nothing. Exit codes as for 'verify'.
            """)

    @OptionGroup var folder: FolderArgument
    @Option(help: "Output format.") var format = Format.text
    @Option(help: ArgumentHelp("First revision to print.", valueName: "revision")) var from: UInt64?
    @Option(help: ArgumentHelp("Last revision to print.", valueName: "revision")) var to: UInt64?
    @Option(help: ArgumentHelp("Only keys that begin with this text.", valueName: "text")) var keyPrefix: String?
    @Flag(name: .customLong("no-values"), help: "Print the size of each value instead of the value.")
    var withoutValues =
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
        for damage in inspection.damage {
            StandardStream.tell("txlog: left out the rest of the file behind damage: \(damage)\n")
        }
        if inspection.lostEnd != nil || inspection.cutFile != nil || inspection.tornTail != nil {
            StandardStream.tell("txlog: the end of the log is not intact, see: \(ToolCommand.verify(directory))\n")
        }
        throw ExitCode(ProgramExit(inspection).rawValue)
    }
}

/// Writes the items of `dump` one by one.
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
        text += "\(item.revision) \(item.name) \(RecordText.quoted(unsafe Array(item.operation.key)))"
        if item.operation.kind == .set {
            let value = unsafe Array(item.operation.value)
            text += self.withoutValues ? " (\(value.count) bytes)" : " \(RecordText.quoted(value))"
            if item.operation.expiresAt != 0 { text += " expires \(item.operation.expiresAt)" }
        }
        return text + "\n"
    }

    private func json(_ item: LoggedItem) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { object in
            object.member("revision", item.revision)
            object.member("op", item.name)
            object.member("key", orBase64: "key_b64", unsafe Array(item.operation.key))
            if item.operation.kind == .set {
                if self.withoutValues {
                    unsafe object.member("value_bytes", item.operation.value.count)
                } else {
                    object.member("value", orBase64: "value_b64", unsafe Array(item.operation.value))
                }
            }
            if item.operation.expiresAt != 0 { object.member("expires_at", item.operation.expiresAt) }
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
        case (_, .receipt): "receipt"
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
