import SimulatedStorage
import TestSupport
import Testing

@testable import LogFormat
@testable import TransactionLog

/// Folders with one random change to the last segment each: a start never drops acknowledged writes without reporting
/// it.
@Suite("Recovery: mutated folders", .timeLimit(.minutes(1)))
struct MutationTests {
    private enum Mutation: CaseIterable {
        case flip, zero, zeroToEnd, zeroFrames, garble, cut, move
    }

    /// How the process ended.
    enum Ending: CaseIterable, Sendable {
        /// During writes, and 100 ms after the last one.
        case killed, killedWhileQuiet
        case stopped
    }

    private static let runs = 500

    /// Changes a byte within `used`; frames begin at `frames`.
    private static func mutate(
        _ fileSystem: SimulatedFileSystem, _ path: String, _ used: Range<Int>, _ frames: [Int],
        using generator: inout SeededGenerator
    ) -> String {
        let bytes = fileSystem.contents(path)!
        let mutation = Mutation.allCases.randomElement(using: &generator)!
        let start = Int.random(in: used, using: &generator)
        let most = [4, 64, 2_000].randomElement(using: &generator)!
        let end = min(used.upperBound, start + Int.random(in: 1...most, using: &generator))
        func zero(from start: Int, to end: Int) {
            fileSystem.patch(path, at: start, [UInt8](repeating: 0, count: end - start))
        }
        switch mutation {
        case .flip:
            fileSystem.patch(path, at: start, [bytes[start] ^ UInt8(1 << Int.random(in: 0..<8, using: &generator))])
        case .zero: zero(from: start, to: end)
        case .zeroToEnd: zero(from: start, to: bytes.count)
        case .zeroFrames: zero(from: frames.randomElement(using: &generator) ?? start, to: bytes.count)
        case .garble: fileSystem.patch(path, at: start, generator.bytes(end - start))
        case .cut: fileSystem.cut(path, to: start)
        case .move:
            let from = Int.random(in: used.lowerBound...used.upperBound - (end - start), using: &generator)
            fileSystem.patch(path, at: start, Array(bytes[from..<from + end - start]))
        }
        return "\(mutation) at \(start)"
    }

    @Test(arguments: Ending.allCases) func `nothing is taken away without a report`(_ ending: Ending) throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        var tally: [String: Int] = [:]
        for run in 0..<Self.runs {
            var maker = try LogMaker()
            try maker.control(.heartbeat)
            for number in 1...Int.random(in: 1...12, using: &generator) {
                let transaction = numbered(number, valueBytes: Int.random(in: 0...500, using: &generator))
                try maker.write(generator.chance(0.5) ? transaction.withReceipt(number) : transaction)
                if generator.chance(0.1) { try maker.writeReceipts(.receipt([UInt8(number)], [1])) }
                if generator.chance(0.1) { try maker.rotate() }
            }
            if ending == .killedWhileQuiet { try maker.control(.heartbeat) }
            if ending == .stopped {
                try maker.control(.cleanShutdown)
                try maker.close()
            }
            let fileSystem = maker.fileSystem.kill()
            let path = maker.segmentPath
            let frames = maker.frames.filter { $0.segment == maker.chain.name }.map(\.range.lowerBound)
            let mutation = Self.mutate(fileSystem, path, 0..<Int(maker.chain.offset), frames, using: &generator)
            if fileSystem.contents(path) == maker.fileSystem.contents(path) { continue }
            let place = Comment("seed \(seed), run \(run): \(mutation) of \(frames)")
            tally[try self.outcome(fileSystem, maker, place), default: 0] += 1
        }
        print("\(ending): \(tally)")
        #expect(tally.keys.contains { $0.hasPrefix("cut") } && tally["refused"] != nil)
    }

    private func outcome(
        _ fileSystem: SimulatedFileSystem, _ maker: LogMaker, _ place: Comment
    ) throws -> String {
        let recovered: Recovered
        do { recovered = try Recovered(fileSystem) } catch {
            guard case .corrupt = error else { throw error }
            return "refused"
        }
        let count = recovered.transactions.count
        #expect(recovered.transactions == Array(maker.transactions.prefix(count)), place)
        #expect(recovered.copiedReceipts.elementsEqual(maker.copiedReceipts.prefix(recovered.copiedReceipts.count)))
        let hasAllReceipts = recovered.copiedReceipts.count == maker.copiedReceipts.count
        if count == maker.transactions.count && hasAllReceipts { return "whole" }
        let report = recovered.report
        if let lost = report.lostEnd {
            #expect(lost.lastRevision == UInt64(count), place)
            return "cut, reported as lost"
        }
        if report.cutFile != nil { return "cut, reported as a file that was cut" }
        if report.tornTail != nil { return "cut, reported as torn" }
        // Zeros from the end of a frame on: they cannot be distinguished from frames that were never written, except by
        // their place.
        let end = report.uncleanEnd
        #expect(end?.lastRevision == UInt64(count) && end?.file == maker.chain.name.description, place)
        #expect((end?.lastFrameNanoseconds ?? 0) > 0, place)
        return "cut, reported as an unclean stop"
    }
}
