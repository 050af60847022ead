import AccessControl
import ArgumentParser
import JSON
import SystemSupport

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Add, list and remove access keys, by which services know their clients.",
        discussion: """
            They are in the file that the services read with --access-keys-file. The services read it again when it \
            changes. The file contains hashes: nobody can make an access key of them.
            """,
        subcommands: [KeyAddCommand.self, KeyListCommand.self, KeyRemoveCommand.self])
}

/// The file that a command is about.
struct AccessKeysFileOption: ParsableArguments {
    @Option(
        help: ArgumentHelp("The file of --access-keys-file of the services.", valueName: "file"), completion: .file())
    var file: String
}

/// The name of an entry.
struct AccessNameArgument: ParsableArguments {
    @Argument(help: "Whose access key it is: 1 to 64 of A-Z a-z 0-9 . _ -; services write it to logs and metrics.")
    var name: String

    func validate() throws {
        // Not the text itself: it may be an access key.
        guard AccessKeyParser.isName(self.name.utf8) else {
            throw ValidationError("a name has 1 to 64 of A-Z a-z 0-9 . _ - and does not begin with txk_")
        }
    }
}

struct KeyAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Make a new access key, add its hash to the file, and print it.",
        discussion: """
            This is the only time that the access key is shown; nothing else is written to standard output. The file is \
            created if it is missing. To replace an access key, add one under a second name, give it to the client, and \
            remove the first one.

              kvctl key add orders-app --roles read,write --prefix orders/ --file access-keys > orders-app.key
            """)

    @OptionGroup var name: AccessNameArgument
    @Option(
        help: ArgumentHelp(
            "What it permits, with commas between: read, write (does not include read), monitor, admin.",
            valueName: "roles"),
        completion: .list(AccessRole.allCases.map(\.rawValue)),
        transform: KeyAddCommand.roles)
    var roles: AccessRoles
    @Option(help: ArgumentHelp("Only for keys that begin with this text; repeat it for several.", valueName: "text"))
    var prefix: [String] = []
    @Option(help: ArgumentHelp("Only for keys that begin with these bytes.", valueName: "base64"))
    var prefixB64: [String] = []
    @Option(
        help: ArgumentHelp(
            "When it ends: a time such as 2027-01-01T00:00:00Z, or a duration from now on such as 720h.",
            valueName: "time"))
    var expires: String?
    @OptionGroup var keys: AccessKeysFileOption

    private static func roles(_ text: String) throws -> AccessRoles {
        var roles: AccessRoles = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let role = AccessRole(rawValue: String(word)) else {
                throw ValidationError(
                    "roles are \(AccessRole.allCases.map(\.rawValue).joined(separator: ", ")), with commas between")
            }
            roles.insert(AccessRoles(role))
        }
        return roles
    }

    func run() throws {
        let name = self.name.name
        let prefixes = try self.prefixes()
        let expiresAt = try self.expires.map(Self.expiry)
        let key = AccessKey.random()
        let entry = AccessEntry(
            name: name, digest: key.digest, roles: self.roles, prefixes: prefixes, expiresAt: expiresAt)
        try AccessKeyEditor.change(self.keys.file, isCreated: true) { content throws(CommandFailure) in
            guard !content.entries.contains(where: { $0.name == name }) else {
                throw CommandFailure(
                    .failure, "\(self.keys.file) has an access key of \(name): choose another name, or remove it first")
            }
            let newline = UInt8(ascii: "\n")
            let isAtBegin = content.text.last.map { $0 == newline } ?? true
            return content.text + (isAtBegin ? [] : [newline]) + Array("\(entry.line)\n".utf8)
        }
        do throws(CommandFailure) { try Output.write("\(key.text)\n") } catch {
            StandardStream.tell(
                "kvctl: \(name) was added, but its access key could not be written: remove \(name), and add it again\n")
            throw error
        }
        StandardStream.tell("kvctl: \(name) added to \(self.keys.file); its access key is not shown again\n")
    }

    private func prefixes() throws -> [[UInt8]] {
        let prefixes =
            try self.prefix.map { try GivenBytes.of($0, isBase64: false) }
            + self.prefixB64.map { try GivenBytes.of($0, isBase64: true) }
        let bytes = 1...AccessKeyParser.maximumPrefixBytes
        guard prefixes.count <= AccessKeyParser.maximumPrefixes, prefixes.allSatisfy({ bytes ~= $0.count }) else {
            throw ValidationError(
                "there may be \(AccessKeyParser.maximumPrefixes) prefixes of 1 to \(bytes.upperBound) bytes")
        }
        return prefixes
    }

    private static func expiry(_ text: String) throws -> UInt64 {
        let now = WallClock.nanoseconds() / 1_000_000_000
        var time = AccessExpiry.seconds(Array(text.utf8))
        if time == nil,
            let duration = try? ConnectionOptions.duration(text, in: .seconds(1)...(.seconds(3_155_760_000)))
        {
            time = now + UInt64(duration / .seconds(1))
        }
        guard let time, time > now else {
            throw ValidationError("--expires needs a time in the future, such as 2027-01-01T00:00:00Z, or 720h")
        }
        return time
    }
}

struct KeyListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the entries of the file: names, roles, prefixes, expiry times.",
        discussion: "With --json, a line is an object. Neither form contains an access key or a hash.")

    @Flag(help: "One object per line.") var json = false
    @OptionGroup var keys: AccessKeysFileOption

    func run() throws {
        let entries = try AccessKeyEditor.read(self.keys.file).entries
        let now = WallClock.nanoseconds()
        if self.json {
            for entry in entries {
                try Output.object { Self.write(entry, isExpired: entry.isExpired(at: now), to: &$0) }
            }
            return
        }
        let width = entries.map(\.name.utf8.count).max() ?? 0
        for entry in entries {
            var line = entry.name + String(repeating: " ", count: width - entry.name.utf8.count)
            line += "  roles=\(entry.roles.text)"
            if !entry.prefixes.isEmpty {
                line += " prefixes=\(entry.prefixes.map(KeyPrefix.text).joined(separator: ","))"
            }
            if let expiresAt = entry.expiresAt { line += " expires=\(AccessExpiry.text(expiresAt))" }
            if entry.isExpired(at: now) { line += " (expired)" }
            try Output.write("\(line)\n")
        }
    }

    private static func write(_ entry: AccessEntry, isExpired: Bool, to object: inout JSONWriter) {
        object.member("name", entry.name)
        object.member(
            "roles",
            array: { roles in
                for role in AccessRole.allCases where entry.roles.contains(AccessRoles(role)) {
                    roles.element(role.rawValue)
                }
            })
        object.member(
            "prefixes",
            array: { prefixes in for prefix in entry.prefixes { prefixes.element(KeyPrefix.text(prefix)) } })
        object.member("expires_at", entry.expiresAt.map(AccessExpiry.text))
        object.member("expired", isExpired)
    }
}

struct KeyRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove an access key: services refuse it as soon as they have read the file again.",
        discussion: "Exit code 2 if the file has no entry of this name.")

    @OptionGroup var name: AccessNameArgument
    @OptionGroup var keys: AccessKeysFileOption

    func run() throws {
        let name = self.name.name
        try AccessKeyEditor.change(self.keys.file) { content throws(CommandFailure) in
            guard content.entries.contains(where: { $0.name == name }) else {
                throw CommandFailure(.notFound, "\(self.keys.file) has no access key of \(name)")
            }
            let newline = UInt8(ascii: "\n")
            return Array(
                content.text.split(separator: newline, omittingEmptySubsequences: false)
                    .filter { !AccessKeyParser.isEntry($0, named: name) }.joined(separator: [newline]))
        }
        StandardStream.tell("kvctl: \(name) removed from \(self.keys.file)\n")
    }
}
