import SimulatedStorage

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

/// Writes a log frame by frame on this thread, as the writer does, so that tests know where each frame lies.
struct LogMaker {
    struct Frame: Equatable {
        var segment: SegmentName
        var kind: FrameHeader.Kind
        var range: Range<Int>
        /// Transactions in the log up to and with this frame, and receipts alone in frames.
        var transactionsAfter: Int
        var receiptsAfter: Int
    }

    let fileSystem: SimulatedFileSystem
    let configuration: LogConfiguration
    private(set) var chain: SegmentChain
    private(set) var transactions: [Transaction]
    private(set) var copiedReceipts: [Change]
    private(set) var frames: [Frame] = []

    /// Opens the store, which begins it when there is none.
    init(
        _ fileSystem: SimulatedFileSystem = SimulatedFileSystem(),
        _ configuration: LogConfiguration = testConfiguration()
    ) throws(LogError) {
        self.fileSystem = fileSystem
        self.configuration = configuration
        let recovered = try Recovered(fileSystem, configuration)
        self.chain = recovered.chain
        self.transactions = recovered.transactions
        self.copiedReceipts = recovered.copiedReceipts
    }

    var nextRevision: UInt64 { UInt64(self.transactions.count) + 1 }
    var segmentPath: String { self.path(self.chain.name) }
    func path(_ name: SegmentName) -> String { "\(storeDirectory)/\(name)" }

    mutating func write(_ transactions: Transaction..., sync: Bool = true) throws(SystemError) {
        try self.writeFrame(.data, transactions, sync: sync)
    }

    /// One frame, as a compaction writes it.
    mutating func writeReceipts(_ receipts: Change...) throws(SystemError) {
        try self.writeFrame(.receipts, receipts: receipts)
    }

    mutating func control(_ kind: FrameHeader.Kind) throws(SystemError) { try self.writeFrame(kind) }

    /// Notes the end, as a clean stop does.
    mutating func close() throws(SystemError) {
        try self.chain.recordCleanEnd(lastRevision: UInt64(self.transactions.count))
    }

    private mutating func writeFrame(
        _ kind: FrameHeader.Kind, _ transactions: [Transaction] = [], receipts: [Change] = [], sync: Bool = true
    ) throws(SystemError) {
        var frame = FrameBuilder()
        frame.begin(firstRevision: self.nextRevision)
        for transaction in transactions { transaction.append(to: &frame) }
        for receipt in receipts { receipt.append(to: &frame) }
        let start = Int(self.chain.offset)
        try self.chain.append(&frame, kind: kind)
        if sync { try self.chain.sync() }
        self.transactions += transactions
        self.copiedReceipts += receipts
        self.frames.append(
            Frame(
                segment: self.chain.name, kind: kind, range: start..<Int(self.chain.offset),
                transactionsAfter: self.transactions.count, receiptsAfter: self.copiedReceipts.count))
    }

    mutating func rotate() throws(SystemError) {
        let prepared = try PreparedSegment.make(
            SegmentFileName(sequence: self.chain.name.sequence + 1), sizeBytes: self.configuration.segmentBytes,
            paths: LogPaths(directory: storeDirectory), fileSystem: self.fileSystem)
        let name = self.chain.name
        let start = Int(self.chain.offset)
        _ = try self.chain.rotate(to: prepared, nextRevision: self.nextRevision)
        self.frames.append(
            Frame(
                segment: name, kind: .seal, range: start..<start + FrameHeader.byteCount,
                transactionsAfter: self.transactions.count, receiptsAfter: self.copiedReceipts.count))
    }
}

extension SimulatedFileSystem {
    /// Overwrites a part of a file, durably; the file gets longer where it is too short.
    func patch(_ path: String, at offset: Int, _ bytes: [UInt8]) {
        var content = self.contents(path)!
        content += [UInt8](repeating: 0, count: max(0, offset + bytes.count - content.count))
        content.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        self.install(path, content)
    }

    func cut(_ path: String, to length: Int) { self.install(path, Array(self.contents(path)![..<length])) }
}
