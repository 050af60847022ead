import ArgumentParser
import SystemSupport

/// The command line.
struct KVCtl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kvctl",
        abstract: "Read, write, watch, import, export and back up the keys of a kv-service or api-gateway.",
        discussion: """
            Values are written and read as they are, byte for byte. Keys on the command line are text, or base64 with \
            --key-b64. A write that got no answer is repeated under the same idempotency key, so that it is carried \
            out once.

            EXIT CODES:
            \(Outcome.table)

            EXAMPLES:
              kvctl set greeting hello
                  set a key
              kvctl set photo < photo.jpg && kvctl get photo > copy.jpg
                  bytes of any kind
              kvctl set job mine --if-absent || echo "somebody else has it"
                  of several at once, one succeeds
              kvctl keys --prefix user/
                  keys in order
              kvctl watch --prefix user/ --json
                  changes as they happen, one transaction per line
              kvctl export --output kv.ndjson
                  all records, one per line
              kvctl import kv.ndjson --resume kv.checkpoint
                  set them all; run it again to continue after an interruption
              kvctl backup --server http://127.0.0.1:8081 --output kv.tar
                  copy the whole store while it is in use, and verify the copy
              kvctl restore kv.tar --data-dir /var/lib/kv
                  make a data folder of it
              kvctl key add orders-app --roles read,write --prefix orders/ --file access-keys
                  make an access key for a client of the services
            """,
        version: "kvctl \(BuildInfo.version) (commit \(BuildInfo.commit))",
        subcommands: [
            GetCommand.self, SetCommand.self, DeleteCommand.self, KeysCommand.self, WatchCommand.self,
            TxnCommand.self, MGetCommand.self, IncrCommand.self, ImportCommand.self, ExportCommand.self,
            BackupCommand.self, RestoreCommand.self, StatusCommand.self, KeyCommand.self,
        ]
    )
}
