import ArgumentParser
import JSON
import KeyValueClient

/// The key that a command is about.
struct KeyArgument: ParsableArguments {
    @Argument(help: "The key, as text.")
    var key: String

    @Flag(help: "The key is given in base64.")
    var keyB64 = false

    func bytes() throws -> [UInt8] { try GivenBytes.of(self.key, isBase64: self.keyB64) }
}

/// Bytes of the command line.
enum GivenBytes {
    /// - Throws: for text that was not UTF-8: the system's arguments are bytes, and those that are no text have been
    ///   replaced by U+FFFD. Another key than the one that was meant must not be read or written.
    static func of(_ text: String, isBase64: Bool) throws -> [UInt8] {
        if isBase64 {
            guard let bytes = Base64.decode(text.utf8) else {
                throw ValidationError("'\(text)' is not base64 (standard alphabet, with padding)")
            }
            return bytes
        }
        if text.unicodeScalars.contains("\u{FFFD}") {
            throw ValidationError("'\(text)' is not UTF-8, or contains U+FFFD: give it in base64")
        }
        return Array(text.utf8)
    }
}

/// The condition of a write, and its idempotency key.
struct ConditionOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only if the key exists with this revision.", valueName: "revision"))
    var ifRevision: UInt64?

    @Flag(help: "Only if the key does not exist.")
    var ifAbsent = false

    @Flag(help: "Only if the key exists.")
    var ifPresent = false

    @Option(
        help: ArgumentHelp(
            "Carry the write out once, however often it is sent under this key; by default a new one for each call.",
            valueName: "key"))
    var idempotencyKey: String?

    func validate() throws {
        if [self.ifRevision != nil, self.ifAbsent, self.ifPresent].count(where: { $0 }) > 1 {
            throw ValidationError("--if-revision, --if-absent and --if-present cannot be combined")
        }
    }

    var condition: Condition? {
        if let revision = self.ifRevision { return .revision(revision) }
        return self.ifAbsent ? .absent : self.ifPresent ? .present : nil
    }
}

/// When a key disappears by itself.
struct ExpiryOptions: ParsableArguments {
    private static func duration(_ text: String) throws -> Duration {
        try ConnectionOptions.duration(text, in: .milliseconds(1)...(.seconds(3_155_760_000)))
    }

    @Option(
        help: ArgumentHelp("Delete the key after this time, such as 30s or 12h.", valueName: "duration"),
        transform: ExpiryOptions.duration)
    var ttl: Duration?

    @Option(help: ArgumentHelp("Delete the key at this time, in ms since 1970.", valueName: "milliseconds"))
    var expiresAt: UInt64?

    func validate() throws {
        if self.ttl != nil, self.expiresAt != nil { throw ValidationError("--ttl and --expires-at cannot be combined") }
    }

    var expiry: Expiry? { self.ttl.map { .after($0) } ?? self.expiresAt.map { .at(milliseconds: $0) } }
}

/// A range of keys.
struct RangeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only keys that begin with this text.", valueName: "text"))
    var prefix: String?

    @Option(help: ArgumentHelp("Only keys that begin with these bytes.", valueName: "base64"))
    var prefixB64: String?

    func validate() throws {
        if self.prefix != nil, self.prefixB64 != nil {
            throw ValidationError("--prefix and --prefix-b64 cannot be combined")
        }
    }

    /// Nil if there is none.
    func bytes() throws -> [UInt8]? {
        if let prefix = self.prefixB64 { return try GivenBytes.of(prefix, isBase64: true) }
        return try self.prefix.map { try GivenBytes.of($0, isBase64: false) }
    }
}
