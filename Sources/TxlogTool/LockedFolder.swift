import DurableFiles
import Glibc
import LogFormat
import OfflineStore
import SystemSupport

/// A data folder that a command keeps locked while it works on it.
enum LockedFolder {
    /// The owner's text for the lock file.
    static func owner(_ command: String) -> String { "txlog \(command), process \(getpid())" }

    /// Keeps services from using the folder while `body` reads it.
    static func read<Result>(_ directory: String, _ body: () throws -> Result) throws -> Result {
        try Self.requireFolder(directory)
        let lock = try PosixFileSystem().lockLogForReading(directory)
        defer { lock.unlock() }
        return try body()
    }

    /// Keeps all other processes from using the folder while `body` changes it.
    static func change<Result>(_ directory: String, command: String, _ body: () throws -> Result) throws -> Result {
        try Self.requireFolder(directory)
        let lock = try PosixFileSystem().lockLog(directory, owner: Self.owner(command))
        defer { lock.unlock() }
        return try body()
    }

    private static func requireFolder(_ directory: String) throws {
        do { _ = try PosixFileSystem().list(directory) } catch { throw ToolFailure(.system(error)) }
    }

    /// Reads a whole folder and requires that there is a log.
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
                    .dataCorrupt, "\(unsupported). Use the txlog of that version; nothing was changed.")
            }
            return inspection
        case .empty:
            throw ToolFailure(
                .inputOutput, "there is no log in \(directory): kv-service would create an empty store there")
        case .importPending:
            throw ToolFailure(
                .inputOutput,
                "there is only a kv.log of the Go system in \(directory): the next start of kv-service imports it. To "
                    + "import it now: txlog import \(ShellWord.quoted(directory)) "
                    + ShellWord.quoted("\(directory)/kv.log"))
        }
    }
}
