import SimulatedStorage

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

/// What a start found, with a snapshot or without: the records and receipts, not their history.
struct RecoveredState {
    let report: RecoveryReport
    let contents: DictionaryClient.Contents
    var records: [[UInt8]: DictionaryClient.Record] { self.contents.records }

    init(_ fileSystem: SimulatedFileSystem, _ configuration: LogConfiguration) throws(LogError) {
        do { try fileSystem.createDirectories(configuration.directory) } catch { throw .system(error) }
        let client = DictionaryClient()
        var recovery = Recovery(
            fileSystem: fileSystem, configuration: configuration, progress: { _ in },
            apply: { revision, operation in client.replay(revision, Change(operation)) })
        _ = try recovery.run()
        self.report = recovery.report
        client.finishReplay(lastRevision: recovery.report.lastRevision)
        self.contents = client.contents
    }
}
