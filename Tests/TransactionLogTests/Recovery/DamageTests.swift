import SimulatedStorage
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

@Suite("Recovery: damage that refuses the start", .timeLimit(.minutes(1)))
struct DamageTests {
    /// Heartbeat, five commits, heartbeat: all of the commits were durable.
    private static func quietLog(_ configuration: LogConfiguration = testConfiguration()) throws -> LogMaker {
        var maker = try LogMaker(SimulatedFileSystem(), configuration)
        try maker.control(.heartbeat)
        for number in 1...5 { try maker.write(numbered(number)) }
        try maker.control(.heartbeat)
        return maker
    }

    @Test(arguments: 0..<6)
    func `a damaged frame before a durable one is named with file, offset and revision`(index: Int) throws {
        let maker = try Self.quietLog()
        let frame = maker.frames[index]
        let fileSystem = maker.fileSystem.kill()
        fileSystem.patch(maker.segmentPath, at: frame.range.lowerBound + 44, [1, 2, 3, 4])
        let corruption = try #require(Recovered.corruption(fileSystem))
        #expect(corruption.file == frame.segment.description)
        #expect(corruption.offset == UInt64(frame.range.lowerBound))
        #expect(corruption.lastGoodRevision == UInt64(max(0, index - 1)))
        #expect(corruption.reason == .durableFrame(.headerChecksum))
    }

    @Test func `a refused start leaves every byte as it was`() throws {
        let maker = try Self.quietLog()
        let fileSystem = maker.fileSystem.kill()
        fileSystem.patch(maker.segmentPath, at: maker.frames[2].range.lowerBound + 60, [0xFF])
        let before = fileSystem.files.map { fileSystem.contents($0) }
        _ = Recovered.corruption(fileSystem)
        #expect(fileSystem.files.map { fileSystem.contents($0) } == before)
    }

    @Test func `a frame that was zeroed in the middle is damage and not the end`() throws {
        let maker = try Self.quietLog()
        let fileSystem = maker.fileSystem.kill()
        let range = maker.frames[3].range
        fileSystem.patch(maker.segmentPath, at: range.lowerBound, [UInt8](repeating: 0, count: range.count))
        #expect(Recovered.corruption(fileSystem)?.reason == .durableFrame(.zeros))
    }

    @Test func `two frames that were swapped are damage`() throws {
        let maker = try Self.quietLog()
        let fileSystem = maker.fileSystem.kill()
        let (one, two) = (maker.frames[2].range, maker.frames[3].range)
        #expect(one.count == two.count)
        let content = fileSystem.contents(maker.segmentPath)!
        fileSystem.patch(maker.segmentPath, at: one.lowerBound, Array(content[two]))
        fileSystem.patch(maker.segmentPath, at: two.lowerBound, Array(content[one]))
        #expect(Recovered.corruption(fileSystem)?.reason == .durableFrame(.headerChecksum))
    }

    @Test func `a frame that was written a second time behind itself is cut, not replayed`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        try maker.write(numbered(2))
        let range = maker.frames.last!.range
        let fileSystem = maker.fileSystem.kill()
        let frame = Array(fileSystem.contents(maker.segmentPath)![range])
        fileSystem.patch(maker.segmentPath, at: range.upperBound, frame)
        let recovered = try Recovered(fileSystem)
        #expect(recovered.transactions == maker.transactions)
        #expect(recovered.report.tornTail?.offset == UInt64(range.upperBound))
    }

    @Test func `a frame with a good checksum but another revision is damage`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        var frame = FrameBuilder()
        frame.begin(firstRevision: 5)
        numbered(5).append(to: &frame)
        var chain = maker.chain
        try chain.append(&frame, kind: .data)
        let corruption = Recovered.corruption(maker.fileSystem.kill())
        #expect(corruption?.reason == .durableFrame(.revision(expected: 2, found: 5)))
    }

    @Test func `bytes behind a clean shutdown are damage`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        try maker.control(.cleanShutdown)
        let end = maker.frames.last!.range.upperBound
        let fileSystem = maker.fileSystem.kill()
        fileSystem.patch(maker.segmentPath, at: end, [UInt8](repeating: 1, count: 49))
        let corruption = Recovered.corruption(fileSystem)
        #expect(corruption?.reason == .bytesAfterCleanShutdown(bytes: 49))
        #expect(corruption?.offset == UInt64(end))
        #expect(corruption?.lastGoodRevision == 1)
    }

    @Test func `bytes behind the seal are damage in the last and in an earlier segment`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        let first = maker.segmentPath
        // The process ends when the seal is durable and nothing of the next segment is.
        let sealed = maker.fileSystem
        try maker.rotate()
        let end = maker.frames.last!.range.upperBound
        let both = sealed.kill()
        both.patch(first, at: end + 8, [1])
        #expect(Recovered.corruption(both)?.reason == .bytesAfterSeal)
        let alone = sealed.kill()
        alone.delete(maker.segmentPath)
        var manifest = try Manifest(decoding: alone.contents("\(storeDirectory)/MANIFEST")!)
        manifest.active = manifest.sealed.removeLast().name
        alone.install("\(storeDirectory)/MANIFEST", manifest.encoded())
        #expect(try Recovered(alone.kill()).transactions == maker.transactions)
        alone.patch(first, at: end + 8, [1])
        #expect(Recovered.corruption(alone)?.reason == .bytesAfterSeal)
    }

    @Test func `more behind the last frame than one write can leave is damage when each commit is synced`() throws {
        for mode in [SyncMode.always, .never] {
            let configuration = testConfiguration(segmentBytes: 17 << 20, syncMode: mode)
            let maker = try Self.quietLog(configuration)
            let fileSystem = maker.fileSystem.kill()
            fileSystem.patch(maker.segmentPath, at: (17 << 20) - 1, [1])
            let bytes = UInt64((17 << 20) - maker.frames.last!.range.upperBound)
            if mode == .always {
                let corruption = Recovered.corruption(fileSystem, configuration)
                #expect(corruption?.reason == .tailTooLarge(bytes: bytes))
            } else {
                #expect(try Recovered(fileSystem, configuration).report.tornTail?.bytes == bytes)
            }
        }
    }

    @Test func `an unknown frame type is from a newer program and not a torn tail`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        let fileSystem = maker.fileSystem.kill()
        let offset = Int(maker.chain.offset)
        var frame = [UInt8](repeating: 0, count: 48)
        FrameHeader(
            kind: .heartbeat, payloadLength: 0, firstRevision: 2, durableLength: 4096, committedNanoseconds: 0,
            transactionCount: 0, salt: maker.chain.header.salt, payloadChecksum: 0
        ).store(into: &frame, fileOffset: UInt64(offset))
        frame[3] = 0x41
        var checksum = CRC32C()
        unsafe frame[..<44].withUnsafeBytes { unsafe checksum.update($0) }
        checksum.update(UInt64(offset))
        frame.storeLittleEndian(checksum.value, at: 44)
        fileSystem.patch(maker.segmentPath, at: offset, frame)
        do {
            _ = try Recovered(fileSystem)
            Issue.record("it was accepted")
        } catch {
            guard case .unsupported(let file, let detail) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(file == maker.chain.name.description)
            #expect(detail.contains("\(offset)"))
        }
    }

    @Test func `an error while reading is neither a torn tail nor damage`() throws {
        let maker = try Self.quietLog()
        let calls = maker.fileSystem.kill()
        _ = try Recovered(calls)
        let reads = calls.calls.filter { $0.kind == .read }.count
        #expect(reads > 2)
        for read in 0..<reads {
            let fileSystem = maker.fileSystem.kill()
            fileSystem.inject(.error(5), on: .read, skipping: read)
            do {
                _ = try Recovered(fileSystem)
                Issue.record("read \(read) was not needed")
            } catch {
                guard case .system(let error) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(error.code == 5)
            }
            #expect(!fileSystem.calls.contains { $0.kind == .write })
        }
    }
}
