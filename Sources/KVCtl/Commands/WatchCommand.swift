import ArgumentParser
import KeyValueClient
import SystemSupport

struct WatchCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Print changes as they happen, until it is stopped.",
        discussion: """
            Without --json a line is a change: its revision, set or delete, the key and the value in quotes. With \
            --json a line is a transaction: {"revision":N,"changes":[…]}. A connection that breaks is made again, and \
            no change is missing or printed twice. If the service no longer has the changes after --since, or those of \
            a long interruption, the command ends with exit code 1 and the oldest revision that it has.
            """)

    @Argument(help: "The key; by default all keys, or those with the prefix.") var key: String?
    @Flag(help: "The key is given in base64.") var keyB64 = false
    @OptionGroup var range: RangeOptions
    @Option(help: ArgumentHelp("Begin after this revision; by default with the next change.", valueName: "revision"))
    var since: UInt64?
    @Flag(help: "With what the keys had before; implies --json.") var previous = false
    @Option(help: ArgumentHelp("End after so many transactions.", valueName: "number")) var count: UInt64?
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if self.key != nil, self.range.prefix != nil || self.range.prefixB64 != nil {
            throw ValidationError("a key and a prefix cannot be combined")
        }
    }

    func run(_ session: Session) throws {
        if self.count == 0 { return }
        let key = try self.key.map { try GivenBytes.of($0, isBase64: self.keyB64) }
        let prefix = try self.range.bytes() ?? []
        let (since, previous, count) = (self.since, self.previous, self.count ?? .max)
        let isJSON = session.isJSON || previous
        try session.wait { client in
            let changes =
                key.map { client.watch(key: $0, since: since, previous: previous) }
                ?? client.watch(prefix: prefix, since: since, previous: previous)
            var left = count
            for try await event in changes {
                try Output.write(
                    isJSON ? event.document + [UInt8(ascii: "\n")] : Array(event.changes.map(Self.line).joined().utf8))
                left -= 1
                if left == 0 { return }
            }
        }
    }

    private static func line(_ change: ChangeEvent.Change) -> String {
        let key = RecordText.quoted(change.key)
        return switch change.kind {
        case .set(let value): "\(change.revision) set \(key) \(RecordText.quoted(value.bytes))\n"
        case .delete(let expired): "\(change.revision) delete \(key)\(expired ? " expired" : "")\n"
        }
    }
}
