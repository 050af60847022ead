import ArgumentParser
import BackupArchive
import Glibc
import JSON
import KeyValueClient
import OfflineStore
import ServiceSettings
import SystemSupport

struct BackupCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the whole store of a kv-service while it is in use, and verify the copy.",
        discussion: """
            The copy is one state of the store: a tar archive of its data folder, with SHA256SUMS at its end. Every \
            digest and every checksum of the log in it is verified before the file gets its name; until then it is \
            FILE.partial. 'kvctl restore' makes a data folder of it.

            The server must be a kv-service, not a gateway: --server http://127.0.0.1:8081, or its --admin-listen.
            """)

    /// Bytes after which the file is synced: in small pieces, because the syncs of a kv-service on the same disk wait
    /// for these writes.
    private static let syncBytes: UInt64 = 4 << 20

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Write to this new file, and sync it; without it, to standard output, where only the digests are verified.",
            valueName: "file"),
        completion: .file())
    var output: String?
    @Option(
        help: ArgumentHelp(
            "File with the bearer token for actions, if the service has one in place of access keys.", valueName: "file"
        ),
        completion: .file())
    var adminTokenFile: String?
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if self.output == "" { throw ValidationError("--output needs the name of a file") }
        if self.output == nil, StandardStream.output.isTerminal {
            throw ValidationError("a backup is not for a terminal: give --output, or redirect standard output")
        }
    }

    func run(_ session: Session) throws {
        let token = try self.adminTokenFile.map { path in
            do { return try OperatorFile.token(path) } catch { throw CommandFailure(.failure, "\(path) \(error)") }
        }
        guard let output = self.output else {
            _ = try session.wait { try await Self.copy($0, token, write: { try Output.write($0) }, sync: {}) }
            return
        }
        try Self.refuseExisting(output)
        let partial = "\(output).partial"
        // A link would have another file overwritten.
        let file = try WrittenFile(partial, O_CREAT | O_NOFOLLOW)
        // Up to the end: another backup to the same file must not write between these bytes.
        try file.lock()
        let backup: Backup
        do {
            try file.truncate(to: 0)
            backup = try session.wait {
                try await Self.copy($0, token, write: { try file.write($0) }, sync: { try file.sync() })
            }
        } catch {
            // Half of a backup is of no use, and the disk may be full because of it.
            if unsafe unlink(partial) != 0 { StandardStream.tell("kvctl: \(partial) remains\n") }
            throw error
        }
        let inspection = try BackupFile(reading: partial).inspect()
        try Self.refuseExisting(output)
        if unsafe rename(partial, output) != 0 { throw Input.failure("rename", partial, errno) }
        try WrittenFile.syncFolder(of: output)
        try file.close()
        if session.isJSON {
            try Output.object { object in
                object.member("store_id", backup.storeID)
                object.member("revision", backup.revision)
                object.member("bytes", backup.bytes)
                object.member("files", inspection.segments.count + inspection.parts.count)
                object.member("output", output)
            }
        } else {
            StandardStream.tell(
                "kvctl: store \(backup.storeID) at revision \(backup.revision) written to \(output) and verified, "
                    + "\(backup.bytes) bytes\n")
        }
    }

    /// Also of a link to nothing.
    private static func refuseExisting(_ path: String) throws(CommandFailure) {
        var status = stat()
        if unsafe lstat(path, &status) == 0 { throw Input.failure("create", path, EEXIST) }
    }

    /// - Parameters:
    ///   - write: called with each piece, one after the other.
    ///   - sync: called at the end, and now and then before.
    private static func copy(
        _ client: StoreClient, _ token: String?, write: @Sendable ([UInt8]) throws -> Void,
        sync: @Sendable () throws -> Void
    ) async throws -> Backup {
        let backup = try await client.backup(token: token)
        let progress = ProgressLine("backing up")
        defer { progress.end() }
        var checker = ArchiveChecker()
        var synced: UInt64 = 0
        do {
            for try await piece in backup {
                try checker.receive(piece)
                try write(piece)
                if checker.bytes - synced >= Self.syncBytes {
                    try sync()
                    synced = checker.bytes
                }
                let rate = Int(Double(checker.bytes) / max(progress.seconds, 0.001) / 1e6)
                progress.update(
                    "\(checker.bytes * 100 / max(backup.bytes, 1)) %, \(checker.bytes) of \(backup.bytes) bytes, "
                        + "\(rate) MB/s")
            }
            _ = try checker.finish()
            try sync()
        } catch let error as ArchiveError {
            throw CommandFailure(.damaged, "\(error)")
        }
        return backup
    }
}
