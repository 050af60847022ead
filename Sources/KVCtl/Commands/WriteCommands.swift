import ArgumentParser
import JSON
import KeyValueClient
import SystemSupport

struct SetCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Set a key to a value.",
        discussion: """
            Without a value as an argument, the value is all of standard input, byte for byte. Prints nothing without \
            --json. A set without --ttl or --expires-at clears the expiry that the key had.
            """)

    @OptionGroup var key: KeyArgument
    @Argument(help: "The value, as text; by default standard input.") var value: String?
    @OptionGroup var expiry: ExpiryOptions
    @OptionGroup var condition: ConditionOptions
    @OptionGroup var connection: ConnectionOptions

    func run(_ session: Session) throws {
        let key = try self.key.bytes()
        let value = try self.value.map { try GivenBytes.of($0, isBase64: false) } ?? Input.all("-")
        let (condition, expiry, given) = (self.condition.condition, self.expiry.expiry, self.condition.idempotencyKey)
        let result = try session.wait {
            try await $0.set(key, value, if: condition, expiry: expiry, idempotencyKey: given)
        }
        guard session.isJSON else { return }
        try Output.object { object in
            object.member("revision", result.revision)
            if let expiresAt = result.expiresAt { object.member("expires_at", expiresAt) }
        }
    }
}

struct DeleteCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a key.",
        discussion: "Prints nothing without --json. Exit code 2 if the key did not exist.")

    @OptionGroup var key: KeyArgument
    @OptionGroup var condition: ConditionOptions
    @OptionGroup var connection: ConnectionOptions

    func run(_ session: Session) throws {
        let key = try self.key.bytes()
        let (condition, given) = (self.condition.condition, self.condition.idempotencyKey)
        let revision = try session.wait { try await $0.delete(key, if: condition, idempotencyKey: given) }
        if session.isJSON {
            try Output.object { object in
                object.member("deleted", revision != nil)
                if let revision { object.member("revision", revision) }
            }
        }
        if revision == nil {
            throw CommandFailure(.notFound, session.isJSON ? nil : "the key \(RecordText.quoted(key)) does not exist")
        }
    }
}

struct IncrCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "incr",
        abstract: "Add to the number that a key has as its value, and print the sum.",
        discussion: """
            The value is decimal text of a signed 64-bit number; a missing key counts as 0. Exit code 4 if the value is \
            no number or the sum is out of range.
            """)

    @OptionGroup var key: KeyArgument
    @Option(help: ArgumentHelp("What to add; negative to subtract, as in --by=-1.", valueName: "number"))
    var by: Int64 = 1
    @OptionGroup var expiry: ExpiryOptions
    @OptionGroup var condition: ConditionOptions
    @OptionGroup var connection: ConnectionOptions

    func run(_ session: Session) throws {
        let key = try self.key.bytes()
        let delta = self.by
        let (condition, expiry, given) = (self.condition.condition, self.expiry.expiry, self.condition.idempotencyKey)
        let counter = try session.wait {
            try await $0.increment(key, by: delta, if: condition, expiry: expiry, idempotencyKey: given)
        }
        if session.isJSON {
            try Output.object { object in
                object.member("value", counter.value)
                object.member("revision", counter.revision)
            }
        } else {
            try Output.write("\(counter.value)\n")
        }
    }
}

struct TxnCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "txn",
        abstract: "Carry out a transaction, and print its results as JSON.",
        discussion: """
            The transaction is a JSON document as Docs/API.md describes it:
              {"checks":[{"key":"a","revision":5},{"key":"b","absent":true}],
               "operations":[{"op":"set","key":"a","value":"1"},{"op":"delete","key":"c"},{"op":"get","key":"d"}]}
            All operations are carried out or none. Exit code 3 if a check is not met.
            """)

    @Argument(
        help: ArgumentHelp("File with the transaction; by default standard input.", valueName: "file"),
        completion: .file())
    var file = "-"
    @Option(
        help: ArgumentHelp(
            "Carry the transaction out once, however often it is sent under this key; by default a new one.",
            valueName: "key"))
    var idempotencyKey: String?
    @OptionGroup var connection: ConnectionOptions

    func run(_ session: Session) throws {
        let document = try Input.all(self.file)
        do { _ = try JSONTree(parsing: document) } catch {
            throw CommandFailure(.failure, "\(Input.name(self.file)) is not JSON: \(error)")
        }
        let given = self.idempotencyKey
        try Output.write(try session.wait { try await $0.transaction(document: document, idempotencyKey: given) })
    }
}
