import ArgumentParser
import Glibc
import JSON
import KeyValueStore
import OfflineStore
import SystemSupport

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Make a data folder of a backup, for a kv-service that is not running yet.",
        discussion: """
            The new store has the same keys, values and expiry times, and a new identity: cursors, ETags and positions of \
            watches of the old store fit nothing in it, because its revisions begin behind all of the old one. Nothing \
            is written before the whole backup is verified. Needs as much memory as the store.
            """)

    @Argument(help: "The file that 'kvctl backup' has written.", completion: .file())
    var backup: String
    @Option(
        help: ArgumentHelp("The folder; created if it is missing, refused if anything is in it.", valueName: "folder"),
        completion: .directory)
    var dataDir: String?
    @Flag(help: "Only verify the backup.")
    var check = false
    @Flag(help: "The result as JSON.")
    var json = false

    func validate() throws {
        if self.check == (self.dataDir != nil) {
            throw ValidationError("give either --data-dir, or --check to only verify the backup")
        }
    }

    func run() throws {
        let image = try BackupFile(reading: self.backup).image()
        var restore: StoreRestore
        do throws(RestoreFailure) {
            restore = try StoreRestore(image)
            if let directory = self.dataDir { try self.write(&restore, to: directory, of: image.figures.keys) }
        } catch {
            throw self.failure(error)
        }
        let inspection = image.inspection
        let from = inspection.storeID.map { "\($0)" } ?? ""
        if self.json {
            try Output.object { object in
                object.member("backup", self.backup)
                object.member("from_store_id", from)
                object.member("from_revision", inspection.lastRevision)
                object.member("keys", image.figures.keys)
                guard let directory = self.dataDir else { return }
                object.member("data_dir", directory)
                object.member("store_id", "\(restore.storeID)")
                object.member("revision", restore.lastRevision)
            }
        } else if let directory = self.dataDir {
            try Output.write(
                "\(image.figures.keys) keys of store \(from) at revision \(inspection.lastRevision) are now store "
                    + "\(restore.storeID) at revision \(restore.lastRevision) in \(directory)\n")
        } else {
            try Output.write(
                "\(self.backup) is intact: store \(from) at revision \(inspection.lastRevision), "
                    + "\(image.figures.keys) keys\n")
        }
    }

    private func write(
        _ restore: inout StoreRestore, to directory: String, of keys: Int
    ) throws(RestoreFailure) {
        let progress = ProgressLine("restoring")
        defer { progress.end() }
        try restore.write(to: directory, owner: "kvctl restore, process \(getpid())") { records in
            progress.update("\(records) of \(keys) records")
        }
    }

    private func failure(_ failure: RestoreFailure) -> CommandFailure {
        switch failure {
        case .notEmpty(let name):
            CommandFailure(
                .failure,
                "\(self.dataDir ?? "") is not empty, it contains \(name): nothing was changed. Restore to a new folder")
        case .noRevisionsLeft:
            CommandFailure(.damaged, "\(self.backup): its revisions are so large that no others would be left")
        case .log(let error): CommandFailure(.failure, "\(error)")
        }
    }
}
