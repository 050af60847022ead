import SimulatedStorage
import TestSupport
import Testing

@testable import LogFormat
@testable import TransactionLog

@Suite("Recovery: a log cut at every byte", .timeLimit(.minutes(1)))
struct EveryByteCutTests {
    /// The bytes after the cut.
    enum Rest: CaseIterable {
        /// The file ends there.
        case nothing
        case zeros, ones, random, olderFrames
    }

    private static let configuration = testConfiguration(segmentBytes: 8192)

    private static func log() throws -> LogMaker {
        var maker = try LogMaker(SimulatedFileSystem(), Self.configuration)
        try maker.control(.heartbeat)
        for number in 1...4 { try maker.write(numbered(number)) }
        let several: Transaction = [.set("binary", "a\nb\0c\r\n"), .delete("key 1"), .set([0, 255, 10], [])]
        try maker.write(several.withReceipt(5), numbered(6))
        try maker.control(.heartbeat)
        try maker.write([.set("frame in a value", "")])
        try maker.write([.set(Array("long".utf8), [UInt8](repeating: 0, count: 60) + Array("end".utf8))])
        try maker.writeReceipts(.receipt(Array("once".utf8), [1, 2]), .receipt(Array("again".utf8), []))
        try maker.write(([.delete("key 2")] as Transaction).withReceipt(9))
        return maker
    }

    /// The cuts: every byte of the last six frames, and some bytes of the zeros behind.
    @Test(arguments: Rest.allCases)
    func `it reopens to exactly the complete frames, takes appends and reopens again`(rest: Rest) throws {
        let maker = try Self.log()
        let path = maker.segmentPath
        let content = maker.fileSystem.contents(path)!
        var other = try LogMaker(SimulatedFileSystem(), Self.configuration)
        for number in 1...40 { try other.write(numbered(number + 500)) }
        let older = other.fileSystem.contents(other.segmentPath)!
        var generator = SeededGenerator(seed: 3)
        let noise = generator.bytes(content.count)
        let last = maker.frames.last!.range.upperBound
        let first = maker.frames[maker.frames.count - 6].range.lowerBound
        for length in first...last + 16 {
            var bytes = Array(content[..<length])
            switch rest {
            case .nothing: break
            case .zeros: bytes += [UInt8](repeating: 0, count: content.count - length)
            case .ones: bytes += [UInt8](repeating: 0xFF, count: content.count - length)
            case .random: bytes += noise[length...]
            case .olderFrames: bytes += older[length...]
            }
            let fileSystem = maker.fileSystem.kill()
            fileSystem.install(path, bytes)
            try Self.check(fileSystem, cutAt: length, bytes, maker)
        }
    }

    private static func check(
        _ fileSystem: SimulatedFileSystem, cutAt length: Int, _ bytes: [UInt8], _ maker: LogMaker
    ) throws {
        // A frame that lost only its padding is complete if zeros follow, because padding is zero.
        let content = maker.fileSystem.contents(maker.segmentPath)!
        let complete = maker.frames.last {
            $0.range.upperBound <= bytes.count && bytes[$0.range] == content[$0.range]
        }!
        let end = complete.range.upperBound
        let expected = Array(maker.transactions[..<complete.transactionsAfter])
        var next = try LogMaker(fileSystem, Self.configuration)
        #expect(next.transactions == expected)
        #expect(next.copiedReceipts == Array(maker.copiedReceipts[..<complete.receiptsAfter]))
        let lastByte = bytes.lastIndex { $0 != 0 }!
        let quarantined = fileSystem.files.filter { $0.contains("quarantine") }
        if lastByte < end {
            #expect(quarantined == [])
        } else {
            #expect(quarantined.count == 1)
            #expect(fileSystem.contents(quarantined[0]) == Array(bytes[end...lastByte]))
        }
        try next.write(numbered(100))
        try next.write(numbered(101), numbered(102))
        let again = try Recovered(fileSystem.kill(), Self.configuration)
        #expect(again.transactions == expected + [numbered(100), numbered(101), numbered(102)])
        #expect(again.report.tornTail == nil)
    }
}
