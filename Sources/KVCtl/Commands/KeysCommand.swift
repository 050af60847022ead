import ArgumentParser
import JSON
import KeyValueClient
import SystemSupport

struct KeysCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "List keys in the order of their bytes, one per line.",
        discussion: """
            A key is written as it is; if standard output is a terminal, control characters are escaped. For keys with \
            newlines use --null or --json. With --json, a line is {"key":…,"revision":N}. --count prints how many keys \
            there are; with --json, {"count":N,"revision":N}.
            """)

    @OptionGroup var range: RangeOptions
    @Option(help: ArgumentHelp("The first key, in place of a prefix.", valueName: "key")) var start: String?
    @Option(help: ArgumentHelp("The key to end before.", valueName: "key")) var end: String?
    @Flag(help: "From the last key to the first.") var reverse = false
    @Option(help: ArgumentHelp("List at most so many keys.", valueName: "number")) var limit: UInt64?
    @Flag(help: "With the values; implies --json.") var values = false
    @Flag(name: [.customShort("0"), .long], help: "End each key with a zero byte in place of a newline.")
    var null = false
    @Flag(help: "Print only the number of keys.") var count = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        let hasPrefix = self.range.prefix != nil || self.range.prefixB64 != nil
        if hasPrefix, self.start != nil || self.end != nil {
            throw ValidationError("a prefix cannot be combined with --start and --end")
        }
        if self.null, self.values || self.connection.json {
            throw ValidationError("--null cannot be combined with --json and --values")
        }
        if self.count, self.null || self.values || self.reverse || self.limit != nil {
            throw ValidationError("--count cannot be combined with --null, --values, --reverse and --limit")
        }
    }

    func run(_ session: Session) throws {
        let range = try self.keyRange()
        if self.count { return try self.printCount(of: range, session) }
        let limit = self.limit ?? .max
        if limit == 0 { return }
        let form: LineForm =
            session.isJSON || self.values
            ? .json : self.null ? .raw(0) : StandardStream.output.isTerminal ? .escaped : .raw(UInt8(ascii: "\n"))
        let (reverse, values) = (self.reverse, self.values)
        try session.wait { client in
            var left = limit
            let pageSize = Int(min(limit, 1_000))
            for try await page in client.keys(range, reverse: reverse, values: values, pageSize: pageSize) {
                let keys = page.keys.prefix(Int(clamping: left))
                try Output.write(keys.flatMap(form.line))
                left -= UInt64(keys.count)
                if left == 0 { return }
            }
        }
    }

    private func printCount(of range: KeyRange, _ session: Session) throws {
        let result = try session.wait { try await $0.count(range) }
        if !session.isJSON { return try Output.write("\(result.count)\n") }
        try Output.object { object in
            object.member("count", result.count)
            object.member("revision", result.revision)
        }
    }

    private func keyRange() throws -> KeyRange {
        if let prefix = try self.range.bytes() { return .prefix(prefix) }
        if self.start == nil, self.end == nil { return .all }
        func bytes(_ text: String) throws -> [UInt8] { try GivenBytes.of(text, isBase64: false) }
        return .between(start: try self.start.map(bytes), end: try self.end.map(bytes))
    }
}

/// How a key is written.
private enum LineForm {
    case json
    case raw(UInt8)
    /// For a terminal, whose state a key must not change.
    case escaped

    func line(_ key: StoredKey) -> [UInt8] {
        switch self {
        case .json: RecordLine.json(key)
        case .raw(let end): key.key + [end]
        case .escaped: Array("\(String(decoding: key.key, as: UTF8.self).withoutControlCharacters)\n".utf8)
        }
    }
}

/// A record as a line of NDJSON, as `keys` and `export` write it and `import` reads it.
enum RecordLine {
    static func json(_ key: StoredKey) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { object in
            object.member("key", orBase64: "key_b64", key.key)
            if let value = key.value { object.member("value", orBase64: "value_b64", value) }
            object.member("revision", key.revision)
            if let expiresAt = key.expiresAt { object.member("expires_at", expiresAt) }
        }
        writer.newline()
        return writer.bytes
    }
}
