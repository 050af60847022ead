import SimulatedStorage

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

/// What a start found, with a snapshot or without: the records, not their history.
struct RecoveredState {
    let report: RecoveryReport
    let records: [[UInt8]: DictionaryClient.Record]

    init(_ fileSystem: SimulatedFileSystem, _ configuration: LogConfiguration) throws(LogError) {
        do { try fileSystem.createDirectories(configuration.directory) } catch { throw .system(error) }
        let client = DictionaryClient()
        var recovery = Recovery(
            fileSystem: fileSystem, configuration: configuration, progress: { _ in },
            apply: { revision, operation in client.replay(revision, Change(operation)) })
        _ = try recovery.run()
        self.report = recovery.report
        client.finishReplay(lastRevision: recovery.report.lastRevision)
        self.records = client.records
    }
}
