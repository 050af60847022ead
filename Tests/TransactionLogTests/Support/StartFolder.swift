import Glibc
import SimulatedStorage
import TestSupport

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

/// Folders that a start can find, with what it must bring back.
enum StartFolder: String, CaseIterable, Sendable {
    case absent, empty, cleanStop, killed, tornTail, tornAfterCleanStop, otherSyncMode
    case sealedLast, unlistedLast, headerlessLast, preparedLeftovers
    case importWaits, importUnfinished, importWithoutManifest
    case snapshot, replacedSegmentsLeft

    /// - Returns: the file system, and the records of all that was acknowledged.
    func make() throws -> (fileSystem: SimulatedFileSystem, records: [[UInt8]: [UInt8]]) {
        let fileSystem = SimulatedFileSystem()
        switch self {
        case .absent: return (fileSystem, [:])
        case .empty:
            try fileSystem.createDirectories(storeDirectory)
            return (fileSystem, [:])
        case .importWaits, .importUnfinished, .importWithoutManifest: return try self.makeImport(fileSystem)
        case .snapshot, .replacedSegmentsLeft: return try self.makeSnapshot(fileSystem)
        default: return try self.makeLog(fileSystem)
        }
    }

    private static let changes = (1...30).flatMap { numbered($0, valueBytes: 600) }

    private static func records(_ changes: some Sequence<Change>) -> [[UInt8]: [UInt8]] {
        var records: [[UInt8]: [UInt8]] = [:]
        for case .set(let key, let value) in changes { records[key] = value }
        return records
    }

    private func makeImport(
        _ fileSystem: SimulatedFileSystem
    ) throws -> (fileSystem: SimulatedFileSystem, records: [[UInt8]: [UInt8]]) {
        fileSystem.install(GoImportTests.source, GoLog.encode(Self.changes))
        switch self {
        case .importUnfinished: fileSystem.inject(.error(EIO), on: .rename, path: "kv.log")
        case .importWithoutManifest: fileSystem.inject(.error(EIO), on: .rename, path: "MANIFEST")
        default: return (fileSystem, Self.records(Self.changes))
        }
        do { _ = try Recovered(fileSystem) } catch { fileSystem.clearFaults() }
        return (fileSystem.kill(), Self.records(Self.changes))
    }

    private func makeSnapshot(
        _ fileSystem: SimulatedFileSystem
    ) throws -> (fileSystem: SimulatedFileSystem, records: [[UInt8]: [UInt8]]) {
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, observer: observer)
        for number in 1...50 { open.commit(numbered(number % 20, valueBytes: 900)) }
        // The segments that the snapshot replaces stay, as after a crash before they are removed.
        if self == .replacedSegmentsLeft { fileSystem.inject(.error(EIO), on: .remove, path: ".log", times: nil) }
        _ = open.log.compact()
        _ = observer.waitForCompaction()
        let records = open.client.values
        let left = fileSystem.kill()
        open.log.close()
        return (left, records)
    }

    private func makeLog(
        _ fileSystem: SimulatedFileSystem
    ) throws -> (fileSystem: SimulatedFileSystem, records: [[UInt8]: [UInt8]]) {
        var maker = try LogMaker(fileSystem)
        try maker.control(.heartbeat)
        for (number, change) in Self.changes.enumerated() {
            if number == 15 { try maker.rotate() }
            try maker.write([change])
        }
        let end = Int(maker.chain.offset)
        var generator = SeededGenerator(seed: 5)
        switch self {
        case .cleanStop, .tornAfterCleanStop: try maker.control(.cleanShutdown)
        case .sealedLast: try maker.control(.seal)
        case .unlistedLast, .headerlessLast:
            fileSystem.inject(.error(ENOSPC), on: .open, path: "MANIFEST.tmp")
            try maker.rotate()
        default: break
        }
        let left = fileSystem.kill()
        switch self {
        case .tornTail: left.patch(maker.segmentPath, at: end, generator.bytes(700))
        case .tornAfterCleanStop: left.patch(maker.segmentPath, at: Int(maker.chain.offset), generator.bytes(30))
        case .headerlessLast: left.patch(maker.segmentPath, at: 0, [UInt8](repeating: 0, count: 4_096))
        case .preparedLeftovers:
            for name in ["segment-0.prepared", "segment-7.prepared", "MANIFEST.tmp"] {
                left.install("\(storeDirectory)/\(name)", generator.bytes(5_000))
            }
        default: break
        }
        return (left, Self.records(Self.changes))
    }

    /// What the start is called with.
    var configuration: LogConfiguration {
        testConfiguration(syncMode: self == .otherSyncMode ? .interval(milliseconds: 1_000) : .always)
    }
}
