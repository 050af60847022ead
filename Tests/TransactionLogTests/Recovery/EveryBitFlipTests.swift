import SimulatedStorage
import Testing

@testable import LogFormat
@testable import TransactionLog

@Suite("Recovery: every flipped bit", .timeLimit(.minutes(5)))
struct EveryBitFlipTests {
    /// How the process that wrote the log ended.
    enum End: CaseIterable {
        case cleanShutdown, quiet, underLoad
    }

    private static let configuration = testConfiguration(segmentBytes: 5632)

    private static func log(_ end: End) throws -> LogMaker {
        var maker = try LogMaker(SimulatedFileSystem(), Self.configuration)
        try maker.control(.heartbeat)
        try maker.write(numbered(1))
        let several: Transaction = [.set("a", ""), .delete("key 1"), .set([0, 10, 13], [255, 0])]
        try maker.write(several.withReceipt(2), numbered(3))
        try maker.control(.heartbeat)
        try maker.write([.set(Array("long".utf8), Array(repeating: 0x54, count: 300))])
        try maker.writeReceipts(.receipt([1], [2, 3]), .receipt([4], []))
        try maker.write(numbered(5).withReceipt(5))
        switch end {
        case .cleanShutdown: try maker.control(.cleanShutdown)
        case .quiet: try maker.control(.heartbeat)
        case .underLoad: break
        }
        return maker
    }

    private struct Tally {
        var refused = 0
        var cut = 0
        var wrong: [Int] = []
    }

    @Test(arguments: End.allCases)
    func `a bit of a segment is refused by its frame, or cut and reported at the end`(end: End) throws {
        let maker = try Self.log(end)
        let path = maker.segmentPath
        let content = maker.fileSystem.contents(path)!
        #expect(content.count == 5632)
        let last = maker.frames.last!
        var tally = Tally()
        // The header page is the same for all, and so are the zeros after a frame that is not a clean shutdown.
        let start = end == .cleanShutdown ? 0 : SegmentHeader.byteCount
        let stop = end == .quiet ? last.range.upperBound : content.count
        for bit in start * 8..<stop * 8 {
            var bytes = content
            bytes[bit / 8] ^= 1 << (bit % 8)
            let fileSystem = maker.fileSystem.kill()
            fileSystem.install(path, bytes)
            let isInTail = bit / 8 >= last.range.lowerBound
            let survivors = Array(
                maker.transactions[
                    ..<(bit / 8 < last.range.upperBound ? maker.frames.dropLast().last! : last)
                        .transactionsAfter])
            do {
                let recovered = try Recovered(fileSystem, Self.configuration)
                tally.cut += 1
                let offset = bit / 8 < last.range.upperBound ? last.range.lowerBound : last.range.upperBound
                if !isInTail || recovered.transactions != survivors
                    || recovered.copiedReceipts != maker.copiedReceipts
                    || recovered.report.tornTail?.offset != UInt64(offset)
                {
                    tally.wrong.append(bit)
                }
            } catch {
                tally.refused += 1
                if !Self.isExpected(error, bit: bit, maker, end) { tally.wrong.append(bit) }
            }
            if Self.largestRead(fileSystem, path) > content.count { tally.wrong.append(bit) }
        }
        print("\(end): \(tally.refused) flips refused, \(tally.cut) cut")
        #expect(tally.wrong == [])
        #expect(tally.refused > 0 && tally.cut > 0)
    }

    /// Whether a refusal names the place of the flip.
    private static func isExpected(_ error: LogError, bit: Int, _ maker: LogMaker, _ end: End) -> Bool {
        guard case .corrupt(let corruption) = error, corruption.file == maker.chain.name.description else {
            return false
        }
        let byte = bit / 8
        if byte < SegmentHeader.byteCount {
            if case .segmentHeader = corruption.reason { return corruption.lastGoodRevision == 0 }
            return false
        }
        if let index = maker.frames.firstIndex(where: { $0.range.contains(byte) }) {
            guard case .durableFrame = corruption.reason, index < maker.frames.count - 1 else { return false }
            return corruption.offset == UInt64(maker.frames[index].range.lowerBound)
                && corruption.lastGoodRevision == UInt64(index == 0 ? 0 : maker.frames[index - 1].transactionsAfter)
        }
        // After a clean shutdown only a heartbeat can be torn.
        let distance = byte + 1 - maker.frames.last!.range.upperBound
        return end == .cleanShutdown && distance > FrameHeader.byteCount
            && corruption.reason == .bytesAfterCleanShutdown(bytes: UInt64(distance))
    }

    private static func largestRead(_ fileSystem: SimulatedFileSystem, _ path: String) -> Int {
        fileSystem.calls.reduce(0) { largest, call in
            call.kind == .read && call.path.hasSuffix(".log") ? max(largest, call.byteCount) : largest
        }
    }

    @Test func `a bit of the manifest is refused`() throws {
        var maker = try Self.log(.quiet)
        try maker.rotate()
        try maker.write(numbered(6))
        let path = "\(storeDirectory)/MANIFEST"
        let content = maker.fileSystem.contents(path)!
        for bit in 0..<content.count * 8 {
            var bytes = content
            bytes[bit / 8] ^= 1 << (bit % 8)
            let fileSystem = maker.fileSystem.kill()
            fileSystem.install(path, bytes)
            let corruption = try #require(Recovered.corruption(fileSystem, Self.configuration))
            #expect(corruption.file == "MANIFEST")
            #expect(fileSystem.calls.allSatisfy { $0.kind != .read || $0.byteCount <= content.count })
        }
    }

    @Test func `a bit of a sealed segment is refused, also in its seal`() throws {
        var maker = try Self.log(.quiet)
        let path = maker.segmentPath
        try maker.rotate()
        try maker.write(numbered(6))
        let name = maker.frames[0].segment.description
        let content = maker.fileSystem.contents(path)!
        // The header page is covered above; the zeros after the seal count as well.
        for bit in SegmentHeader.byteCount * 8..<content.count * 8 {
            var bytes = content
            bytes[bit / 8] ^= 1 << (bit % 8)
            let fileSystem = maker.fileSystem.kill()
            fileSystem.install(path, bytes)
            let corruption = try #require(Recovered.corruption(fileSystem, Self.configuration))
            #expect(corruption.file == name)
        }
    }
}
