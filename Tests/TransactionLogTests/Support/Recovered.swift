import SimulatedStorage
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

let storeDirectory = "/data/kv"

/// Small segments, no heartbeat that depends on the clock, and a start that makes its calls in the same order each time.
func testConfiguration(segmentBytes: Int = 16_384, syncMode: SyncMode = .always) -> LogConfiguration {
    var configuration = LogConfiguration(directory: storeDirectory, owner: "test")
    configuration.segmentBytes = segmentBytes
    configuration.syncMode = syncMode
    configuration.heartbeatMilliseconds = 1_000_000
    configuration.verifyingThreads = 0
    configuration.watchMilliseconds = 1_000_000
    configuration.prepareRetryMilliseconds = 2
    configuration.compaction.keepsReserve = false
    configuration.compaction.startsByItself = false
    return configuration
}

/// What a start found: the recovery alone, on this thread, without a writer.
struct Recovered {
    let report: RecoveryReport
    let transactions: [Transaction]
    let copiedReceipts: [Change]
    /// Ready for appends.
    var chain: SegmentChain

    init(
        _ fileSystem: SimulatedFileSystem, _ configuration: LogConfiguration = testConfiguration()
    ) throws(LogError) {
        do { try fileSystem.createDirectories(configuration.directory) } catch { throw .system(error) }
        var history = ReplayedHistory()
        var recovery = Recovery(
            fileSystem: fileSystem, configuration: configuration, progress: { _ in },
            apply: { revision, operation in
                history.apply(revision, operation)
                return nil
            })
        self.chain = try recovery.run()
        self.report = recovery.report
        self.transactions = history.transactions
        self.copiedReceipts = history.copiedReceipts
    }

    /// The corruption that a start is refused for, or nil with an issue recorded.
    static func corruption(
        _ fileSystem: SimulatedFileSystem, _ configuration: LogConfiguration = testConfiguration(),
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> Corruption? {
        do {
            let recovered = try Recovered(fileSystem, configuration)
            Issue.record(
                "the start was not refused; it found \(recovered.transactions.count) transactions",
                sourceLocation: sourceLocation)
        } catch {
            if case .corrupt(let corruption) = error { return corruption }
            Issue.record("another error: \(error)", sourceLocation: sourceLocation)
        }
        return nil
    }
}
