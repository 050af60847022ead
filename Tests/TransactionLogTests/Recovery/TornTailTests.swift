import SimulatedStorage
import TestSupport
import Testing

@testable import LogFormat
@testable import TransactionLog

@Suite("Recovery: torn tails", .timeLimit(.minutes(1)))
struct TornTailTests {
    /// The possible content of the last write's place after a power cut.
    enum Remains: CaseIterable {
        case zerosInside, ones, random, otherSegment, headerOnly, payloadOnly
    }

    /// A log whose last frame was torn in this way; and the frame.
    static func torn(_ remains: Remains) throws -> (fileSystem: SimulatedFileSystem, maker: LogMaker) {
        var other = try LogMaker()
        for number in 1...40 { try other.write(numbered(number + 1000)) }
        var maker = try LogMaker()
        try maker.control(.heartbeat)
        for number in 1...5 { try maker.write(numbered(number)) }
        try maker.write(numbered(6, valueBytes: 3000))
        let path = maker.segmentPath
        let range = maker.frames.last!.range
        let fileSystem = maker.fileSystem.kill()
        var generator = SeededGenerator(seed: 11)
        switch remains {
        case .zerosInside: fileSystem.patch(path, at: range.lowerBound + 1024, [UInt8](repeating: 0, count: 512))
        case .ones: fileSystem.patch(path, at: range.lowerBound, [UInt8](repeating: 0xFF, count: range.count))
        case .random: fileSystem.patch(path, at: range.lowerBound, generator.bytes(range.count))
        case .otherSegment:
            let stale = other.fileSystem.contents(other.segmentPath)![range]
            fileSystem.patch(path, at: range.lowerBound, Array(stale))
        case .headerOnly: fileSystem.cut(path, to: range.lowerBound + 48)
        case .payloadOnly: fileSystem.patch(path, at: range.lowerBound, [UInt8](repeating: 0, count: 48))
        }
        return (fileSystem, maker)
    }

    @Test(arguments: Remains.allCases)
    func `a torn last frame is copied aside, cut and reported`(remains: Remains) throws {
        let (fileSystem, maker) = try Self.torn(remains)
        let path = maker.segmentPath
        let start = maker.frames.last!.range.lowerBound
        let found = fileSystem.contents(path)![start...]
        let recovered = try Recovered(fileSystem)
        #expect(recovered.transactions == Array(maker.transactions.dropLast()))
        let torn = try #require(recovered.report.tornTail)
        #expect(torn.file == maker.chain.name.description)
        #expect(torn.offset == UInt64(start))
        let nonZero = found[...found.lastIndex { $0 != 0 }!]
        #expect(torn.bytes == UInt64(nonZero.count))
        #expect(fileSystem.contents("\(storeDirectory)/\(torn.quarantined)") == Array(nonZero))
        // Sealed at the end of the intact frames, zeros after that, and the log continues in the next segment.
        #expect(recovered.chain.header.sequence == 2)
        let rest = fileSystem.contents(path)![(start + 48)...]
        #expect(rest.allSatisfy { $0 == 0 })
    }

    @Test(arguments: Remains.allCases)
    func `after a torn tail the log takes appends and reopens as often as one likes`(remains: Remains) throws {
        var (fileSystem, maker) = try Self.torn(remains)
        var expected = Array(maker.transactions.dropLast())
        for round in 1...3 {
            fileSystem = fileSystem.kill()
            var next = try LogMaker(fileSystem)
            #expect(next.transactions == expected)
            if round > 1 { #expect(try Recovered(fileSystem.kill()).report.tornTail == nil) }
            try next.write(numbered(100 + round))
            expected = next.transactions
        }
        #expect(try Recovered(fileSystem.kill()).transactions == expected)
    }

    @Test func `a torn tail whose bytes were put aside twice is cut all the same`() throws {
        let (fileSystem, maker) = try Self.torn(.random)
        // The process ends after the copy, before the zeros are durable.
        let probe = fileSystem.kill()
        _ = try Recovered(probe)
        let copied = try #require(probe.calls.first { $0.kind == .fsync && $0.path.contains("quarantine") })
        let first = fileSystem.kill()
        first.die(atCall: copied.number + 2)
        #expect(throws: LogError.self) { try Recovered(first) }
        let again = first.crash(seed: 1)
        let recovered = try Recovered(again)
        #expect(recovered.transactions == Array(maker.transactions.dropLast()))
        #expect(again.files.filter { $0.contains("quarantine") }.count == 2)
    }

    @Test func `the frame after a clean shutdown can be torn, as it holds nothing`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        try maker.control(.cleanShutdown)
        let end = maker.frames.last!.range.upperBound
        for length in [1, 8, 47, 48] {
            let fileSystem = maker.fileSystem.kill()
            fileSystem.patch(maker.segmentPath, at: end, [UInt8](repeating: 7, count: length))
            let recovered = try Recovered(fileSystem)
            #expect(recovered.report.wasCleanShutdown)
            #expect(recovered.report.tornTail?.bytes == UInt64(length))
            #expect(recovered.transactions == maker.transactions)
        }
    }

    @Test func `without a sync for each commit all frames since the last sync can be torn`() throws {
        let configuration = testConfiguration(syncMode: .never)
        var maker = try LogMaker(SimulatedFileSystem(), configuration)
        try maker.write(numbered(1))
        for number in 2...9 { try maker.write(numbered(number), sync: false) }
        let fileSystem = maker.fileSystem.kill()
        let third = maker.frames[2].range
        fileSystem.patch(maker.segmentPath, at: third.lowerBound + 50, [0xFF])
        let recovered = try Recovered(fileSystem, configuration)
        #expect(recovered.transactions == Array(maker.transactions[..<2]))
        #expect(recovered.report.tornTail?.offset == UInt64(third.lowerBound))
        let lastByte = maker.fileSystem.contents(maker.segmentPath)!.lastIndex { $0 != 0 }!
        #expect(recovered.report.tornTail?.bytes == UInt64(lastByte + 1 - third.lowerBound))
    }

    @Test func `a torn frame that grew the file is cut`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        try maker.write(numbered(2, valueBytes: 40_000))
        let range = maker.frames.last!.range
        for length in [range.lowerBound + 100, 16_384, 16_385, 30_000, range.upperBound - 8] {
            let fileSystem = maker.fileSystem.kill()
            fileSystem.cut(maker.segmentPath, to: length)
            let recovered = try Recovered(fileSystem)
            #expect(recovered.transactions == [numbered(1)])
            #expect(recovered.report.tornTail?.bytes == UInt64(length - range.lowerBound))
        }
    }

    /// Those bytes are not an acknowledged write, but evidence of what happened.
    @Test func `a crash at any call of the start leaves the torn bytes in the segment or in a whole copy`() throws {
        let (made, maker) = try Self.torn(.zerosInside)
        let start = maker.frames.last!.range.lowerBound
        let segment = made.contents(maker.segmentPath)![start...]
        let torn = Array(segment[...segment.lastIndex { $0 != 0 }!])
        let whole = made.kill()
        _ = try Recovered(whole)
        for call in 1...whole.callCount {
            let fileSystem = made.kill()
            fileSystem.die(atCall: call)
            _ = try? Recovered(fileSystem)
            for seed in 0..<20 as Range<UInt64> {
                let left = fileSystem.crash(seed: seed)
                let isThere = left.contents(maker.segmentPath)![start...].starts(with: torn)
                let copies = left.files.filter { $0.hasSuffix(".torn") }.filter { left.contents($0) == torn }
                #expect(isThere || !copies.isEmpty, "call \(call), seed \(seed)")
                // If they are still in the segment, its seal distinguishes them.
                let again = try Recovered(left)
                #expect(again.transactions == Array(maker.transactions.dropLast()), "call \(call), seed \(seed)")
            }
        }
    }

    @Test func `a copy of the torn bytes that could not be finished does not stay`() throws {
        let (fileSystem, _) = try Self.torn(.random)
        fileSystem.inject(.shortWrite(100), on: .write, path: ".torn", times: nil)
        #expect(throws: LogError.self) { try Recovered(fileSystem) }
        #expect(!fileSystem.files.contains { $0.hasSuffix(".torn") })
        fileSystem.clearFaults()
        // On a full disk the reserve provides the space for it.
        fileSystem.install("\(storeDirectory)/\(LogPaths.reserveName)", [0])
        fileSystem.inject(.shortWrite(100), on: .write, path: ".torn")
        let report = try Recovered(fileSystem).report
        #expect(fileSystem.files.filter { $0.hasSuffix(".torn") }.count == 1)
        let kept = try #require(report.tornTail)
        #expect(fileSystem.contents("\(storeDirectory)/\(kept.quarantined)")?.count == Int(kept.bytes))
    }
}
