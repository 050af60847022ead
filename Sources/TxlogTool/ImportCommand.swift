import ArgumentParser
import Glibc
import KeyValueStore
import LogFormat
import OfflineStore
import ServiceSettings
import SystemSupport
import TransactionLog

extension ImportSource.Format: ExpressibleByArgument {}

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Fill a new folder, or an empty store, with records from NDJSON or from a kv.log of the Go system.",
        discussion: """
            Reads the lines that 'txlog export' and 'txlog dump' write. Records get new revisions, in the order in \
            which they are read; a "delete" of a dump deletes the key that was set before it. A failed import 
            leaves the records before the failure: remove the folder, and try again.
            """)

    @OptionGroup var folder: FolderArgument
    @Argument(
        help: ArgumentHelp("File to import; - reads NDJSON from standard input.", valueName: "file"),
        completion: .file())
    var source: String
    @Option(help: "Format of the file; by default its first byte decides.") var format: ImportSource.Format?
    @Option(
        help: ArgumentHelp("Size of a segment of the new log, such as 67108864 or 64MiB.", valueName: "bytes"),
        transform: ImportCommand.segmentBytes)
    var segmentBytes = LogConfiguration.defaultSegmentBytes

    func run() throws {
        let directory = self.folder.directory
        if Self.isImportOf(directory, self.source) {
            try self.takeOver(directory)
            return
        }
        try Self.requireEmpty(directory)
        var source = try ImportSource(self.source, format: self.format)
        try OfflineEngine.use(directory, command: "import", segmentBytes: self.segmentBytes) { engine in
            if engine.figures.keys > 0 { throw Self.notEmpty(directory) }
            let writer = BulkWriter(engine)
            do {
                try Self.copy(&source, to: writer)
            } catch {
                throw Self.failure(error, written: writer.written, directory)
            }
            Output.standard.write(
                "Imported \(writer.written) changes; \(engine.figures.keys) keys are in \(directory).\n")
        }
        if source.tornBytes > 0 {
            Output.standard.write(
                "The last \(source.tornBytes) bytes of \(self.source) are an unfinished record, which was left out.\n"
            )
        }
    }

    private static func copy(_ source: inout ImportSource, to writer: BulkWriter) throws {
        let line = ProgressLine("importing")
        defer { line.end() }
        while let record = try source.next() {
            switch record {
            case .set(let key, let value, let expiresAt): try writer.set(key, value, expiresAt: expiresAt)
            case .delete(let key): try writer.delete(key)
            }
            line.update(
                ReplayProgress(bytesRead: source.bytesRead, bytesTotal: source.totalBytes, transactions: writer.written)
            )
        }
        try writer.finish()
    }

    private static func failure(_ error: any Error, written: UInt64, _ directory: String) -> ToolFailure {
        let advice = ". \(written) changes were imported: remove \(directory) and try again."
        switch error {
        case let failure as ToolFailure: return ToolFailure(failure.status, failure.message + advice)
        case let error as LogError: return ToolFailure(ToolFailure(error).status, "\(error)\(advice)")
        case let refused as WriteRefused:
            switch refused.reason {
            case .outOfSpace(let error), .failed(let error, _):
                return ToolFailure(.inputOutput, "\(error)\(advice)")
            case .overloaded, .closed: return ToolFailure(.inputOutput, "the log accepted no more writes\(advice)")
            }
        default: return ToolFailure(.inputOutput, "\(error)\(advice)")
        }
    }

    private static func segmentBytes(_ text: String) throws -> Int {
        let kind = SettingKind<Int>.byteSize(in: 65_536...4 << 30)
        guard let bytes = kind.parse(text) else { throw ValidationError("'\(text)' is not \(kind.expectation)") }
        return bytes
    }

    // MARK: - Target folder

    private static func notEmpty(_ directory: String) -> ToolFailure {
        ToolFailure(.usage, "\(directory) contains records; import into a new folder or an empty store")
    }

    /// Checks a folder before anything in it is changed.
    private static func requireEmpty(_ directory: String) throws {
        if unsafe access(directory, F_OK) != 0 { return }
        let image = try LockedFolder.read(directory) { try StoreImage(reading: directory) }
        switch image.inspection.state {
        case .empty: return
        case .importPending:
            throw ToolFailure(.usage, "\(directory) contains its own kv.log, which would be imported first")
        case .store:
            if image.inspection.isDamaged {
                throw ToolFailure(.dataCorrupt, "the log is damaged, see: \(ToolCommand.verify(directory))")
            }
            if image.figures.keys > 0 { throw Self.notEmpty(directory) }
        }
    }

    // MARK: - The kv.log of the folder itself

    private static func isImportOf(_ directory: String, _ source: String) -> Bool {
        guard source != "-" else { return false }
        guard let own = ImportSource.resolved("\(directory)/kv.log") else { return false }
        return ImportSource.resolved(source) == own
    }

    /// Like the first start of the service: the file is kept as `kv.log.imported`.
    private func takeOver(_ directory: String) throws {
        try OfflineEngine.use(directory, command: "import", segmentBytes: self.segmentBytes) { engine in
            guard let imported = engine.report.imported else {
                throw ToolFailure(.usage, "\(directory) already contains a store; its kv.log was not changed")
            }
            Output.standard.write(
                "Imported \(imported.operations) changes; \(engine.figures.keys) keys are in \(directory). The file "
                    + "is kept as \(directory)/kv.log.imported.\n")
            if imported.tornBytes > 0 {
                Output.standard.write(
                    "Its last \(imported.tornBytes) bytes are an unfinished record, which was left out.\n")
            }
        }
    }
}
