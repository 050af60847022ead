import SimulatedStorage
import SystemSupport
import TestSupport
import Testing

@testable import LogFormat
@testable import TransactionLog

@Suite("Recovery: ends that are in order", .timeLimit(.minutes(1)))
struct GoodEndTests {
    @Test func `a new folder becomes an empty store with a manifest`() throws {
        let fileSystem = SimulatedFileSystem()
        let recovered = try Recovered(fileSystem)
        #expect(recovered.transactions == [])
        #expect(recovered.report.lastRevision == 0)
        #expect(recovered.report.tornTail == nil)
        let segment = SegmentName(sequence: 1, firstRevision: 1)
        #expect(fileSystem.files == ["data/kv/\(segment)", "data/kv/MANIFEST", "data/kv/MANIFEST.tmp"])
        #expect(fileSystem.contents("/data/kv/\(segment)")?.count == 16_384)
        #expect(recovered.report.segments.map(\.name) == [segment])
    }

    @Test func `a log that ends in zeros ends cleanly and goes on in its segment`() throws {
        var maker = try LogMaker()
        try maker.control(.heartbeat)
        try maker.write(numbered(1), numbered(2))
        let end = maker.frames.last!.range.upperBound
        let recovered = try Recovered(maker.fileSystem.kill())
        #expect(recovered.transactions == maker.transactions)
        #expect(!recovered.report.wasCleanShutdown)
        #expect(recovered.report.tornTail == nil)
        #expect(recovered.report.operations == 2)
        #expect(recovered.chain.name == maker.chain.name)
        #expect(recovered.chain.offset == UInt64(end))
    }

    @Test func `a start that finds all in order writes nothing`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        try maker.rotate()
        let fileSystem = maker.fileSystem.kill()
        _ = try Recovered(fileSystem)
        #expect(!fileSystem.calls.contains { [.write, .rename, .remove, .truncate].contains($0.kind) })
    }

    @Test func `a clean shutdown is recognised and can be followed by more`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        try maker.control(.cleanShutdown)
        let closed = try Recovered(maker.fileSystem.kill()).report
        #expect(closed.wasCleanShutdown && closed.uncleanEnd == nil)
        try maker.control(.heartbeat)
        let killed = try Recovered(maker.fileSystem.kill()).report
        #expect(!killed.wasCleanShutdown)
        let end = try #require(killed.uncleanEnd)
        #expect(end.file == "\(maker.chain.name)" && end.offset == maker.chain.offset && end.lastRevision == 1)
        #expect(end.lastFrameNanoseconds <= WallClock.nanoseconds())
        try maker.write(numbered(2))
        #expect(try Recovered(maker.fileSystem.kill()).transactions == maker.transactions)
    }

    @Test func `a log that was cut after its clean stop starts and says how much is missing`() throws {
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem)
        for number in 1...5 { open.commit(numbered(number)) }
        open.log.close()
        let whole = try Recovered(fileSystem.kill())
        #expect(whole.report.lostEnd == nil)
        let path = "\(storeDirectory)/\(whole.chain.name)"
        let content = try #require(fileSystem.contents(path))
        for length in SegmentHeader.byteCount...Int(whole.chain.offset) {
            let cut = fileSystem.kill()
            cut.install(path, Array(content[..<length]))
            let recovered = try Recovered(cut)
            #expect(recovered.transactions == Array(whole.transactions.prefix(recovered.transactions.count)))
            // The loss of a last frame that only records the clean stop is not a loss.
            guard recovered.transactions.count < 5 else {
                #expect(recovered.report.lostEnd == nil)
                continue
            }
            let lost = try #require(recovered.report.lostEnd, "nothing was said of a cut at \(length)")
            #expect(lost.closedOffset == whole.chain.offset && lost.closedLastRevision == 5)
            #expect(lost.offset <= UInt64(length) && lost.revisions == UInt64(5 - recovered.transactions.count))
        }
    }

    @Test func `a last segment that was cut after a crash is told, wherever that was`() throws {
        var maker = try LogMaker()
        for number in 1...5 { try maker.write(numbered(number)) }
        let content = try #require(maker.fileSystem.contents(maker.segmentPath))
        #expect(try Recovered(maker.fileSystem.kill()).report.cutFile == nil)
        let lengths = Array(SegmentHeader.byteCount...Int(maker.chain.offset)) + [content.count - 1]
        for length in lengths {
            let cut = maker.fileSystem.kill()
            cut.cut(maker.segmentPath, to: length)
            let recovered = try Recovered(cut)
            #expect(recovered.transactions == Array(maker.transactions.prefix(recovered.transactions.count)))
            let told = try #require(recovered.report.cutFile, "nothing was said of a cut at \(length)")
            #expect(told.file == maker.chain.name.description)
            #expect(told.fileBytes == UInt64(length) && told.preparedBytes == UInt64(content.count))
            #expect(told.lastRevision == UInt64(recovered.transactions.count))
            // The start continued in a new segment, so that later frames are not mistaken for truncated ones.
            #expect(recovered.chain.header.sequence == maker.chain.header.sequence + 1)
            let again = try Recovered(cut)
            #expect(again.report.cutFile == nil && again.transactions == recovered.transactions)
        }
    }

    @Test func `a segment that grew beyond what was prepared has not been cut`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1, valueBytes: 100_000))
        #expect(maker.fileSystem.contents(maker.segmentPath)!.count > 100_000)
        #expect(try Recovered(maker.fileSystem.kill()).report.cutFile == nil)
    }

    @Test func `what follows a clean stop is not missed, and the next segment begins anew`() throws {
        let fileSystem = SimulatedFileSystem()
        for number in 1...3 {
            let open = try OpenLog(fileSystem)
            #expect(open.report.lostEnd == nil)
            for _ in 0..<20 { open.commit(numbered(number, valueBytes: 400)) }
            open.log.close()
        }
        let recovered = try Recovered(fileSystem.kill())
        #expect(recovered.report.segments.count > 1)
        #expect(recovered.report.lostEnd == nil)
        let manifest = try Manifest(decoding: fileSystem.contents("\(storeDirectory)/MANIFEST")!)
        #expect(manifest.closed == .init(lastRevision: 60, lengthBytes: recovered.chain.offset))
    }

    @Test func `frames of one and of many transactions over many segments come back in order`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        var maker = try LogMaker()
        for _ in 0..<12 {
            for _ in 0..<Int.random(in: 0...5, using: &generator) {
                let first = (0..<Int.random(in: 1...9, using: &generator)).map { _ in
                    Change.random(using: &generator)
                }
                try maker.write(first, [.random(using: &generator)])
            }
            try maker.rotate()
        }
        let recovered = try Recovered(maker.fileSystem.kill())
        #expect(recovered.transactions == maker.transactions)
        #expect(recovered.report.segments.count == 13)
        #expect(recovered.report.segments.dropLast().allSatisfy { $0.sealed })
        #expect(recovered.report.segments.last?.sealed == false)
        #expect(recovered.report.bytesRead > 0)
    }

    @Test func `a frame that is larger than a segment comes back`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1, valueBytes: 100_000))
        try maker.rotate()
        try maker.write(numbered(2, valueBytes: 20_000))
        let recovered = try Recovered(maker.fileSystem.kill())
        #expect(recovered.transactions == maker.transactions)
    }

    @Test func `the progress ends at the last frame and never runs back`() throws {
        var maker = try LogMaker()
        for number in 1...20 { try maker.write(numbered(number)) }
        try maker.rotate()
        try maker.write(numbered(21))
        let sealedBytes = maker.chain.manifest.sealed[0].lengthBytes
        var steps: [ReplayProgress] = []
        var recovery = Recovery(
            fileSystem: maker.fileSystem.kill(), configuration: testConfiguration(),
            progress: { steps.append($0) }, apply: { _, _ in nil })
        _ = try recovery.run()
        #expect(steps.last?.transactions == 21)
        #expect(steps.last?.bytesTotal == sealedBytes + 16_384)
        #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.bytesRead <= $1.bytesRead })
        #expect(steps.allSatisfy { $0.bytesRead <= $0.bytesTotal })
    }

    @Test func `files that are not the log's are reported and left alone`() throws {
        let fileSystem = try LogMaker().fileSystem.kill()
        for name in ["notes.txt", "1-1.log", "kv.log"] { fileSystem.install("\(storeDirectory)/\(name)", [1]) }
        let recovered = try Recovered(fileSystem)
        #expect(recovered.report.unknownFiles.sorted() == ["1-1.log", "kv.log", "notes.txt"])
        #expect(fileSystem.contents("\(storeDirectory)/kv.log") == [1])
    }

    @Test func `another sync mode begins another segment, as the header says what a tail can be`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        let fileSystem = maker.fileSystem.kill()
        var never = try LogMaker(fileSystem, testConfiguration(syncMode: .never))
        #expect(never.chain.header.sequence == 2)
        #expect(never.chain.header.syncModeCode == SyncMode.never.code)
        try never.write(numbered(2))
        let recovered = try Recovered(fileSystem.kill(), testConfiguration(syncMode: .never))
        #expect(recovered.transactions == never.transactions)
        #expect(recovered.chain.header.sequence == 2)
    }
}
