import Glibc
import SimulatedStorage
import SystemSupport
import TestSupport
import Testing
import TransactionLog

@testable import DurableFiles
@testable import KeyValueStore
@testable import LogFormat

@Suite("Keys that expire", .timeLimit(.minutes(1)))
struct ExpiryTests {
    private let fileSystem = SimulatedFileSystem()
    private let clock = TestClock()

    private func open(_ clock: StoreClock? = nil) throws -> EmbeddedEngine {
        var configuration = LogConfiguration(directory: "/data/kv", owner: "test")
        configuration.segmentBytes = 1 << 20
        configuration.heartbeatMilliseconds = 1_000_000
        return try EmbeddedEngine(
            opening: configuration, fileSystem: self.fileSystem, clock: clock ?? self.clock.storeClock)
    }

    /// Waits until the writer has logged the removal of so many keys.
    private func waitForRemovals(_ count: UInt64, _ engine: EmbeddedEngine) {
        while engine.expiredKeys < count { usleep(1_000) }
    }

    @Test func `are absent at once for gets, scans, conditions and transactions`() throws {
        let engine = try self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        session.set("a", "1", expiring: .after(milliseconds: 60_000))
        session.set("b", "1", expiring: .at(milliseconds: self.clock.wallMilliseconds + 120_000))
        session.set("c", "1")
        try session.finish()
        #expect(session.expiry("a") == self.clock.wallMilliseconds + 60_000)
        #expect(session.expiry("c") == 0)
        #expect(session.keys() == ["a", "b", "c"])
        self.clock.advance(milliseconds: 60_000)
        #expect(session.get("a") == nil)
        #expect(session.keys() == ["b", "c"])
        let transaction = Transaction(checks: [.init(Array("a".utf8), .absent)], [.get(key: Array("b".utf8))])
        session.perform(transaction)
        session.set("a", "2", if: .exists, as: "unmet")
        try session.finish()
        #expect(session.results["unmet"]?.outcome == .conditionUnmet(current: nil))
        guard case .committed(_, let results) = transaction.outcome, case .value? = results.first else {
            Issue.record("\(transaction.outcome)")
            return
        }
        #expect(engine.expiredKeys == 1)
        #expect(engine.figures.keys == 2)
    }

    /// The last time that the service accepts, and later ones, which an import can bring.
    @Test(arguments: [99_999_999_999_999, 1 << 63, .max] as [UInt64])
    func `may be as far away as they like, also if they are the first to expire`(time: UInt64) throws {
        let kept = min(time, UInt64(Int64.max))
        for value in ["1", "2"] {
            let engine = try self.open()
            defer { engine.close() }
            let session = TestSession(engine)
            session.set("far", value, expiring: .at(milliseconds: time))
            try session.finish()
            // The writer has looked for when to remove it.
            session.set("near", "1", expiring: .after(milliseconds: 1))
            try session.finish()
            self.clock.advance(milliseconds: 1)
            self.waitForRemovals(1, engine)
            session.set("other", "1")
            try session.finish()
            #expect(session.get("far")?.value == value && session.expiry("far") == kept)
        }
    }

    @Test func `are removed in the log, also those that expired while the store was closed, and do not come back`()
        throws
    {
        var engine = try self.open()
        var session = TestSession(engine)
        session.set("a", "1", expiring: .after(milliseconds: 1_000))
        session.set("b", "1", expiring: .after(milliseconds: 5_000))
        try session.finish()
        let revision = engine.statistics.lastRevision
        engine.close()
        self.clock.advance(milliseconds: 1_000)
        engine = try self.open()
        session = TestSession(engine)
        #expect(session.keys() == ["b"])
        self.waitForRemovals(1, engine)
        while engine.figures.keys > 1 { usleep(1_000) }
        #expect(engine.statistics.lastRevision == revision + 1)
        engine.close()
        // What is in the log now does not depend on any clock.
        self.clock.step(milliseconds: -3_600_000)
        engine = try self.open()
        defer { engine.close() }
        session = TestSession(engine)
        #expect(session.get("a") == nil)
        #expect(session.get("b") != nil)
    }

    @Test func `stay when they are set again without an expiry time, and when a counter is increased`() throws {
        let engine = try self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        session.set("a", "1", expiring: .after(milliseconds: 1_000))
        session.set("n", "1", expiring: .after(milliseconds: 1_000))
        try session.finish()
        session.set("a", "2")
        let increment = Transaction([.increment(key: Array("n".utf8), by: 2)])
        session.perform(increment)
        try session.finish()
        #expect(session.expiry("a") == 0)
        #expect(session.expiry("n") == self.clock.wallMilliseconds + 1_000)
        self.clock.advance(milliseconds: 1_000)
        #expect(session.keys() == ["a"])
    }

    @Test func `survive a compaction, with their expiry times`() throws {
        var engine = try self.open()
        var session = TestSession(engine)
        session.set("a", "1", expiring: .after(milliseconds: 60_000))
        session.set("b", "1")
        try session.finish()
        let expiry = session.expiry("a")
        #expect(engine.compact() != nil)
        while engine.compaction.last == nil { usleep(1_000) }
        engine.close()
        engine = try self.open()
        defer { engine.close() }
        session = TestSession(engine)
        #expect(session.expiry("a") == expiry)
        #expect(session.expiry("b") == 0)
    }

    @Test func `with a clock that was set back before a restart, what was seen to expire is not seen again`() throws {
        // The simulated folder has the times of the real clock, so this one uses that too.
        var engine = try self.open(StoreClock())
        var session = TestSession(engine)
        session.set("a", "1", expiring: .after(milliseconds: 1))
        try session.finish()
        while session.get("a") != nil { usleep(1_000) }
        session.set("b", "1")
        try session.finish()
        engine.close()
        let wall = WallClockBehind()
        engine = try self.open(wall.storeClock)
        defer { engine.close() }
        session = TestSession(engine)
        #expect(session.keys() == ["b"])
        #expect(engine.clock.aheadMilliseconds > 3_500_000)
    }

    /// An hour behind the real clock.
    private struct WallClockBehind {
        var storeClock: StoreClock {
            StoreClock(
                monotonicMilliseconds: { MonotonicClock.nanoseconds() / 1_000_000 },
                wallMilliseconds: { WallClock.nanoseconds() / 1_000_000 - 3_600_000 })
        }
    }
}
