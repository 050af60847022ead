import JSON
import Testing
import TransactionLog

@testable import KVService

@Suite("The progress of a replay in readyz", .timeLimit(.minutes(1)))
struct ReplayReadinessTests {
    @Test func `has figures, rate and remaining time`() throws {
        let state = ReplayState()
        state.begin()
        state.update(ReplayProgress(bytesRead: 25, bytesTotal: 100, transactions: 7))
        var writer = JSONWriter()
        writer.object(state.writeReadiness)
        let document = String(decoding: writer.bytes, as: UTF8.self)
        let pattern =
            #/\{"replay":\{"bytes_read":25,"bytes_total":100,"transactions":7,"progress_ratio":0.25,"bytes_per_second":([-+.0-9e]+),"eta_seconds":([-+.0-9e]+)\}\}/#
        let match = try #require(document.wholeMatch(of: pattern), "\(document)")
        let (rate, eta) = try (#require(Double(match.output.1)), #require(Double(match.output.2)))
        #expect(rate > 0 && eta > 0)
    }

    @Test(arguments: [(0, 0, 1.0), (0, 10, 0.0), (20, 10, 1.0), (5, 10, 0.5)] as [(UInt64, UInt64, Double)])
    func `progress is a ratio from 0 to 1`(read: UInt64, total: UInt64, ratio: Double) {
        #expect(ReplayProgress(bytesRead: read, bytesTotal: total, transactions: 0).ratio == ratio)
    }
}
