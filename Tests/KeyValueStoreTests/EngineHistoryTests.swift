import Glibc
import TestSupport
import Testing
import TransactionLog

@testable import KeyValueStore
@testable import LogFormat

@Suite("The history of an engine", .timeLimit(.minutes(1)))
struct EngineHistoryTests {
    private let folder = TemporaryFolder()

    private func open(historyBytes: Int = 1 << 20) throws -> EmbeddedEngine {
        var configuration = LogConfiguration(directory: self.folder.path + "/kv", owner: "test, process \(getpid())")
        configuration.segmentBytes = 64 << 10
        return try EmbeddedEngine(opening: configuration, historyBytes: historyBytes)
    }

    @Test func `is the same after a restart, with previous values`() throws {
        let engine = try self.open()
        let session = TestSession(engine)
        for round in 0..<3 { for key in ["a", "b", "c"] { session.set(key, "\(key)\(round)", as: "\(key)\(round)") } }
        session.delete("b")
        session.delete("missing")
        try session.finish()
        let before = try #require(engine.history?.all(after: 0))
        #expect(before.count == 10 && before.map { $0[0].revision } == Array(1...10))
        #expect(before[9] == [SeenChange(.delete, [0x62], [], 10, previous: (Array("b2".utf8), 8))])
        engine.close()
        let again = try self.open()
        defer { again.close() }
        let history = try #require(again.history)
        #expect(history.all(after: 0) == before)
        #expect(history.position(after: 4, wantsPrevious: true) != .compacted(oldest: 4))
        #expect(history.position(after: 11) == .future(newest: 10))
        let later = TestSession(again)
        later.set("a", "new")
        try later.finish()
        #expect(
            history.all(after: 10) == [
                [SeenChange(.set, [0x61], Array("new".utf8), 11, previous: (Array("a2".utf8), 7))]
            ])
    }

    @Test func `begins behind the snapshot, and knows of which changes it does not know the previous value`() throws {
        let engine = try self.open()
        let session = TestSession(engine)
        for number in 0..<10 { session.set("k\(number)", "old") }
        try session.finish()
        _ = try #require(engine.compact())
        _ = try Poll.until("the compaction has ended") { engine.compaction.last == nil ? nil : true }
        session.set("k0", "new", as: "replaced")
        session.set("x", "new", as: "created")
        session.set("k1", "new", as: "replaced too")
        try session.finish()
        #expect(engine.history?.all(after: 0)?.count == 13)
        engine.close()
        let again = try self.open()
        defer { again.close() }
        let history = try #require(again.history)
        #expect(history.position(after: 9) == .compacted(oldest: 10))
        #expect(history.all(after: 10)?.map { $0[0].previous } == [Array("old".utf8), nil, Array("old".utf8)])
        // The snapshot may have left out a key that was deleted meanwhile.
        #expect(history.position(after: 11, wantsPrevious: true) == .compacted(oldest: 12))
        guard case .at = history.position(after: 12, wantsPrevious: true) else {
            Issue.record("the previous value of the last change is known")
            return
        }
    }

    @Test func `is not there if it may take no memory`() throws {
        let engine = try self.open(historyBytes: 0)
        defer { engine.close() }
        let session = TestSession(engine)
        session.set("a", "1")
        try session.finish()
        #expect(engine.history == nil && session.get("a")?.value == "1")
    }

    @Test func `has the transactions of a log whole, and what a snapshot hides as unknown`() {
        let history = ChangeHistory(replayingInto: 1 << 20)
        let index = Index()
        index.history = history
        func replay(_ revision: UInt64, _ kind: OperationKind, _ key: String, _ place: LoggedOperation.Place) {
            Array(key.utf8).withUnsafeBytes { key in
                let value = kind == .set ? key : UnsafeRawBufferPointer(start: nil, count: 0)
                _ = index.replay(
                    revision,
                    LoggedOperation(
                        kind: kind, key: key, value: value, expiresAt: 0, isExpiry: false, place: place))
            }
        }
        // Parts of a compaction that has not ended, beside the segments from the first one on.
        replay(1, .set, "a", .snapshot)
        replay(2, .set, "b", .snapshot)
        replay(1, .set, "a", .endOfTransaction)
        replay(2, .set, "b", .withinTransaction)
        replay(3, .set, "c", .withinTransaction)
        replay(4, .delete, "a", .endOfTransaction)
        replay(5, .set, "b", .endOfTransaction)
        index.finishReplay(lastRevision: 5)
        #expect(history.all(after: 0)?.map { $0.map(\.revision) } == [[1], [2, 3, 4], [5]])
        #expect(history.all(after: 4)?[0][0].previousRevision == 2)
        #expect(history.all(after: 0)?[1][2] == SeenChange(.delete, [0x61], [], 4, previous: ([0x61], 1)))
        // The replay cannot know that `c` was new.
        #expect(history.position(after: 2, wantsPrevious: true) == .compacted(oldest: 3))
        guard case .at(let position) = history.position(after: 3, wantsPrevious: true) else {
            Issue.record("everything after 3 is known")
            return
        }
        #expect(position.revision == 3)
    }
}
