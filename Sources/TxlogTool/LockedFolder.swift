import DurableFiles
import Glibc
import LogFormat
import OfflineStore
import SystemSupport

/// A data folder whose lock a command holds for as long as it works on it.
enum LockedFolder {
    /// Who holds the folder, for the lock file.
    static func owner(_ command: String) -> String { "txlog \(command), process \(getpid())" }

    /// Keeps services out while `body` reads the folder.
    static func read<Result>(_ directory: String, _ body: () throws -> Result) throws -> Result {
        try Self.requireFolder(directory)
        let lock = try PosixFileSystem().lockLogForReading(directory)
        defer { lock.unlock() }
        return try body()
    }

    /// Keeps everyone out while `body` changes the folder.
    static func change<Result>(_ directory: String, command: String, _ body: () throws -> Result) throws -> Result {
        try Self.requireFolder(directory)
        let lock = try PosixFileSystem().lockLog(directory, owner: Self.owner(command))
        defer { lock.unlock() }
        return try body()
    }

    private static func requireFolder(_ directory: String) throws {
        do { _ = try PosixFileSystem().list(directory) } catch { throw ToolFailure(.system(error)) }
    }

    /// Reads all of a folder and requires that there is a log.
    static func inspect(
        _ directory: String, progress what: String, visit: @escaping LogInspector.Visit = { _ in nil }
    ) throws -> LogInspection {
        let line = ProgressLine(what)
        defer { line.end() }
        var inspector = LogInspector(directory: directory, progress: line.update, visit: visit)
        return try Self.requireLog(try inspector.run(), directory)
    }

    /// Reads all records of a folder and requires that there is a log.
    static func image(_ directory: String, skipsDamage: Bool = false) throws -> StoreImage {
        let line = ProgressLine("reading")
        defer { line.end() }
        let image = try StoreImage(reading: directory, skipsDamage: skipsDamage, progress: line.update)
        _ = try Self.requireLog(image.inspection, directory)
        return image
    }

    private static func requireLog(_ inspection: LogInspection, _ directory: String) throws -> LogInspection {
        switch inspection.state {
        case .store:
            if let unsupported = inspection.unsupported {
                throw ToolFailure(
                    .corruption, "\(unsupported). Use the txlog that came with that version; nothing was changed.")
            }
            return inspection
        case .empty:
            throw ToolFailure(
                .inputOutput, "there is no log in \(directory): kv-service would begin an empty store there")
        case .importPending:
            throw ToolFailure(
                .inputOutput,
                "there is only a kv.log of the Go system in \(directory): the next start of kv-service imports it, or "
                    + "do it now with: txlog import \(ShellWord.quoted(directory)) "
                    + ShellWord.quoted("\(directory)/kv.log"))
        }
    }
}
