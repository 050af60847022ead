import ArgumentParser
import SystemSupport

/// The offline tool for a log folder that no service uses.
struct Txlog: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "txlog",
        abstract: "Show, verify, repair, compact, fill and export the data folder of a stopped kv-service.",
        discussion: """
            All commands lock the folder and fail while a service uses it. stat, dump, verify and export change \
            nothing in the folder; a service cannot start with the folder until they are finished.

            EXIT CODES:
            \(ProgramExit.table)

            EXAMPLES:
              txlog verify /var/lib/kv
                  check every checksum
              txlog stat /var/lib/kv --json
                  sizes, revisions and live bytes, for a script
              txlog dump /var/lib/kv --from 1200 --key-prefix user: --no-values
                  which keys changed since revision 1200
              txlog repair /var/lib/kv
                  show what is damaged and what a repair would lose
              txlog export /var/lib/kv --output kv.ndjson
                  all records, one per line
              txlog import /var/lib/kv.new kv.ndjson
                  a new store with these records
            """,
        version: "txlog \(BuildInfo.version) (commit \(BuildInfo.commit))",
        subcommands: [
            StatCommand.self, DumpCommand.self, VerifyCommand.self, RepairCommand.self, CompactCommand.self,
            ImportCommand.self, ExportCommand.self,
        ]
    )
}

/// The folder that every command works on.
struct FolderArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The service's data folder, its --data-dir.", valueName: "folder"), completion: .directory)
    var directory: String
}
