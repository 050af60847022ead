import ArgumentParser
import JSON
import KeyValueClient
import SystemSupport

struct GetCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Write the value of a key to standard output.",
        discussion: """
            The bytes of the value and nothing else; a newline behind them if standard output is a terminal. Exit code \
            2 if the key does not exist.
            """)

    @OptionGroup var key: KeyArgument
    @OptionGroup var connection: ConnectionOptions

    func run(_ session: Session) throws {
        let key = try self.key.bytes()
        guard let value = try session.wait({ try await $0.get(key) }) else {
            throw CommandFailure(.notFound, session.isJSON ? nil : "the key \(RecordText.quoted(key)) does not exist")
        }
        if session.isJSON {
            try Output.object { object in
                object.member("key", orBase64: "key_b64", key)
                object.member("value", orBase64: "value_b64", value.bytes)
                object.member("revision", value.revision)
                if let expiresAt = value.expiresAt { object.member("expires_at", expiresAt) }
            }
        } else {
            try Output.write(value.bytes + (StandardStream.output.isTerminal ? [UInt8(ascii: "\n")] : []))
        }
    }
}

struct MGetCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "mget",
        abstract: "Write the values of up to 128 keys, of one state of the store, as JSON: one line for each key.",
        discussion: """
            A line is {"key":…,"found":true,"value":…,"revision":N}, or {"key":…,"found":false} for a key that does not \
            exist. The exit code is 0 also if keys do not exist.
            """)

    @Argument(help: "The keys, as text.") var keys: [String]
    @Flag(help: "The keys are given in base64.") var keyB64 = false
    @OptionGroup var connection: ConnectionOptions

    func run(_ session: Session) throws {
        let keys = try self.keys.map { try GivenBytes.of($0, isBase64: self.keyB64) }
        let answer = try session.wait { try await $0.get(several: keys) }
        for (key, value) in zip(keys, answer.values) {
            try Output.object { object in
                object.member("key", orBase64: "key_b64", key)
                object.member("found", value != nil)
                guard let value else { return }
                object.member("value", orBase64: "value_b64", value.bytes)
                object.member("revision", value.revision)
                if let expiresAt = value.expiresAt { object.member("expires_at", expiresAt) }
            }
        }
    }
}
