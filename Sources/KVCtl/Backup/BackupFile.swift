import BackupArchive
import DurableFiles
import Glibc
import OfflineStore
import SystemSupport

/// A backup in a file, with every file in it compared with its digest. Confined to the main thread.
struct BackupFile {
    private static let pieceBytes = 1 << 20

    let path: String
    private let file: any File
    private let files: [ArchivedFile]

    /// Blocks until the whole file has been read.
    init(reading path: String) throws {
        self.path = path
        let descriptor = try Input.open(path)
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        if lseek(descriptor, 0, SEEK_CUR) < 0 {
            throw CommandFailure(.failure, "a backup is read more than once: save it to a file first")
        }
        // The log follows no links, but a person's file can be one.
        guard let real = unsafe realpath(path == "-" ? "/dev/stdin" : path, nil) else {
            throw Input.failure("open", path, errno)
        }
        defer { unsafe free(real) }
        do throws(SystemError) { self.file = try PosixFileSystem().open(unsafe String(cString: real), .read) } catch {
            throw Self.failure(error)
        }
        let progress = ProgressLine("verifying")
        defer { progress.end() }
        var checker = ArchiveChecker()
        var piece: [UInt8] = []
        do {
            let total = try self.file.size()
            while checker.bytes < total {
                piece.removeAll(keepingCapacity: true)
                if try self.file.read(Self.pieceBytes, at: checker.bytes, into: &piece) == 0 { break }
                try checker.receive(piece)
                progress.update("\(checker.bytes * 100 / total) %, \(checker.bytes) of \(total) bytes")
            }
            self.files = try checker.finish()
        } catch let error as ArchiveError {
            throw CommandFailure(.damaged, "\(path): \(error)")
        } catch let error as SystemError {
            throw Self.failure(error)
        }
    }

    /// Reads every frame of the log in it, as a start of kv-service would. Needs little memory.
    func inspect() throws -> LogInspection {
        let progress = ProgressLine("verifying the log")
        defer { progress.end() }
        var inspector = LogInspector(
            directory: ArchivedFolder.directory, fileSystem: self.folder, progress: progress.update)
        return try self.intact(try inspector.run())
    }

    /// All records in it, in memory.
    func image() throws -> StoreImage {
        let progress = ProgressLine("reading")
        defer { progress.end() }
        let image = try StoreImage(
            reading: ArchivedFolder.directory, fileSystem: self.folder, progress: progress.update)
        _ = try self.intact(image.inspection)
        return image
    }

    private var folder: ArchivedFolder { ArchivedFolder(self.file, files: self.files) }

    /// - Throws: what is wrong with the log. A backup has no tail that a crash could have torn.
    private func intact(_ inspection: LogInspection) throws -> LogInspection {
        if let unsupported = inspection.unsupported {
            throw CommandFailure(.failure, "\(self.path): \(unsupported): use the kvctl of that version")
        }
        let isWhole = inspection.state == .store && !inspection.isDamaged && inspection.tornTail == nil
        if isWhole { return inspection }
        let reason = inspection.damage.first.map { "\($0)" } ?? "it is not a whole log"
        throw CommandFailure(.damaged, "\(self.path): the store was damaged when it was backed up: \(reason)")
    }

    private static func failure(_ error: SystemError) -> CommandFailure { CommandFailure(.failure, "\(error)") }
}
