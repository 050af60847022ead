import Glibc
import SimulatedStorage
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

/// Overwrites of prepared space that need free space, as on a file system that copies on write.
@Suite("Commit: overwrites that need space", .timeLimit(.minutes(1)))
struct OverwriteSpaceTests {
    private static let configuration = testConfiguration(segmentBytes: 8192)

    private static func code(_ outcome: Outcome?) -> Int32? {
        if case .refused(.outOfSpace(let error))? = outcome { error.code } else { nil }
    }

    private static func fill(_ fileSystem: SimulatedFileSystem) {
        fileSystem.setCapacity(bytes: fileSystem.files.reduce(0) { $0 + fileSystem.contents($1)!.count })
    }

    @Test func `it is told, a full disk refuses all writes and loses none, and they go on by themselves`() throws {
        var fileSystem = SimulatedFileSystem()
        fileSystem.setCopiesOnWrite(true)
        for start in 1...2 as ClosedRange<UInt64> {
            let observer = RecordingObserver()
            if start == 2 { Self.fill(fileSystem) }
            let open = try OpenLog(fileSystem, Self.configuration, observer: observer)
            if start == 1 {
                #expect(open.commit(numbered(1)) == .committed(1))
                #expect(open.waitForPrepared())
                Self.fill(fileSystem)
            }
            #expect(Self.code(open.commit(numbered(9))) == ENOSPC)
            #expect(Self.code(open.commit([.delete("key 1")])) == ENOSPC)
            #expect(open.log.statistics.failure == nil && open.log.statistics.state == .diskFull)
            #expect(open.wait { $0.overwrites == .copyOnWrite })
            fileSystem.setCapacity(bytes: .max)
            // There are no writes.
            #expect(observer.waitForSpace())
            #expect(open.commit(numbered(Int(start) + 1)) == .committed(start + 1))
            let left = fileSystem.kill()
            open.log.close()
            #expect(observer.placements == [.copyOnWrite])
            fileSystem = left
        }
        #expect(
            try Recovered(fileSystem.crash(seed: 0), Self.configuration).transactions == (1...3).map { numbered($0) })
    }

    @Test(arguments: [SimulatedCall.Kind.write, .fdatasync])
    func `a heartbeat that finds none is left out, and the log goes on`(kind: SimulatedCall.Kind) throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        // The file's zeros and the header come before it.
        fileSystem.inject(.error(ENOSPC), on: kind, path: "1.log", skipping: kind == .write ? 2 : 1)
        let open = try OpenLog(fileSystem, Self.configuration, observer: observer)
        #expect(observer.waitForSpace())
        #expect(observer.spaceChanges.map { $0?.code } == [ENOSPC, nil])
        // The next heartbeat has detected it, not the move to another segment.
        #expect(open.log.statistics.segments.count == 1)
        #expect(open.commit(numbered(1)) == .committed(1))
        open.log.close()
        #expect(open.log.statistics.failure == nil)
        #expect(try Recovered(fileSystem.crash(seed: 0), Self.configuration).transactions == [numbered(1)])
    }

    @Test func `a seal that cannot be taken back ends the log`() throws {
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem, Self.configuration)
        for number in 1...3 { open.commit(numbered(number, valueBytes: 1000)) }
        fileSystem.inject(.error(ENOSPC), on: .fdatasync, path: "1.log", times: 2)
        guard case .refused(.failed(let error, written: false))? = open.commit(numbered(4, valueBytes: 1000)) else {
            Issue.record("it was not refused as a failure")
            return open.log.close()
        }
        #expect(error.code == ENOSPC && open.log.statistics.failure == error)
        open.log.close()
        #expect(
            try Recovered(fileSystem.crash(seed: 0), Self.configuration).transactions
                == (1...3).map { numbered($0, valueBytes: 1000) })
    }

    @Test func `a frame that makes its segment longer is taken back, and a seal behind one without it`() throws {
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem, Self.configuration)
        let large = numbered(1, valueBytes: 9000)
        #expect(open.waitForPrepared())
        // The header comes before it.
        fileSystem.inject(.shortWrite(5000), on: .write, path: "2.log", skipping: 1)
        #expect(Self.code(open.commit(large)) == ENOSPC)
        #expect(fileSystem.contents("\(storeDirectory)/\(SegmentFileName(sequence: 2))")?.count == 8192)
        try Self.expect([], fileSystem)
        #expect(open.waitForSpace())
        #expect(open.commit(large) == .committed(1))
        let active = try #require(open.log.statistics.segments.last?.name)
        fileSystem.inject(.shortWrite(20), on: .write, path: "\(active)")
        #expect(Self.code(open.commit(numbered(2))) == ENOSPC)
        try Self.expect([large], fileSystem)
        #expect(open.waitForSpace())
        #expect(open.commit(numbered(2)) == .committed(2))
        open.log.close()
        try Self.expect([large, numbered(2)], fileSystem)
    }

    private static func expect(_ transactions: [Transaction], _ fileSystem: SimulatedFileSystem) throws {
        for left in [fileSystem.kill(), fileSystem.crash(seed: 0)] {
            let recovered = try Recovered(left, Self.configuration)
            #expect(recovered.transactions == transactions)
            #expect(recovered.report.tornTail == nil)
        }
    }

    @Test func `a sealed segment takes nothing more, however small`() throws {
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem, Self.configuration)
        // A small one would fit behind them and the seal.
        let transactions = (1...3).map { numbered($0, valueBytes: 900) }
        for transaction in transactions { open.commit(transaction) }
        // Otherwise its creation can fail, and the first segment stays unsealed.
        #expect(Poll.holds { open.log.preparedSegments > 0 })
        fileSystem.inject(.error(ENOSPC), on: .write, path: "2.log", times: nil)
        for transaction in [numbered(4, valueBytes: 1000), numbered(4), [.delete("key 1")]] as [Transaction] {
            #expect(Self.code(open.commit(transaction)) == ENOSPC)
            try Self.expect(transactions, fileSystem)
        }
        fileSystem.clearFaults()
        #expect(open.waitForSpace())
        #expect(open.commit(numbered(4)) == .committed(4))
        open.log.close()
        try Self.expect(transactions + [numbered(4)], fileSystem)
    }

    @Test(arguments: [ENOSPC, EDQUOT])
    func `the end of a segment that is sealed early is given back, or stays where that finds none`(code: Int32) throws {
        let path = "\(storeDirectory)/\(SegmentFileName(sequence: 1))"
        for (valueBytes, fails, keepsEnd) in [(1, false, false), (1, true, true), (11_000, false, true)] {
            var maker = try LogMaker()
            try maker.write(numbered(1, valueBytes: valueBytes))
            if fails { maker.fileSystem.inject(.error(code), on: .truncate, path: "1.log") }
            try maker.rotate()
            #expect(maker.fileSystem.contents(path)?.count == (keepsEnd ? 16_384 : maker.frames.last?.range.upperBound))
            try maker.write(numbered(2))
            #expect(try Recovered(maker.fileSystem.crash(seed: 0)).transactions == maker.transactions)
        }
    }

    /// The failing step after the last valid manifest: the creation of the file for the next one.
    @Test(
        arguments: [.error(ENOSPC), .error(EDQUOT), .error(EMFILE), .shortWrite(9)] as [FaultEffect],
        [SimulatedCall.Kind.open, .write])
    func `a manifest counts although the file for the next one cannot be made`(
        effect: FaultEffect, kind: SimulatedCall.Kind
    ) throws {
        var maker = try LogMaker()
        maker.fileSystem.inject(effect, on: kind, path: "MANIFEST.tmp", skipping: 1)
        try maker.rotate()
        #expect(!maker.chain.owesManifest)
        try maker.rotate()
        #expect(!maker.chain.owesManifest)
        #expect(try Recovered(maker.fileSystem.crash(seed: 0)).report.segments.count == 3)
    }

    @Test func `a manifest that is longer than the one before needs no space`() throws {
        var maker = try LogMaker()
        // So much that the segment's end is not freed.
        try maker.write(numbered(1, valueBytes: 11_000))
        let prepared = try PreparedSegment.make(
            SegmentFileName(sequence: 2), sizeBytes: 16_384, paths: LogPaths(directory: storeDirectory),
            fileSystem: maker.fileSystem)
        Self.fill(maker.fileSystem)
        var chain = maker.chain
        _ = try chain.rotate(to: prepared, nextRevision: 2)
        #expect(!chain.owesManifest)
        #expect(try Recovered(maker.fileSystem.crash(seed: 0)).report.segments.count == 2)
    }

    @Test func `a write that finds some is the end of the lack`() throws {
        var configuration = Self.configuration
        configuration.prepareRetryMilliseconds = 1_000_000
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem, configuration)
        #expect(open.commit(numbered(1)) == .committed(1))
        fileSystem.inject(.error(ENOSPC), on: .write, path: "1.log")
        #expect(Self.code(open.commit(numbered(2))) == ENOSPC)
        #expect(open.log.statistics.diskFull?.code == ENOSPC)
        #expect(open.commit(numbered(2)) == .committed(2))
        #expect(open.log.statistics.diskFull == nil)
        open.log.close()
    }
}
