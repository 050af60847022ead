import DurableFiles
import SimulatedStorage
import TestSupport
import Testing
import TransactionLog

@testable import KeyValueStore
@testable import LogFormat

/// What a store makes of the golden files with a snapshot and receipts, which `GoldenFileTests` writes.
@Suite("A golden store", .timeLimit(.minutes(1)))
struct GoldenStoreTests {
    private static let folder = Repository.path("Tests/TransactionLogTests/Golden/version-4")
    private static let expiry: UInt64 = 1_800_000_000_123

    private static func open() throws -> EmbeddedEngine {
        let fileSystem = SimulatedFileSystem()
        for name in try PosixFileSystem().list(Self.folder) {
            fileSystem.install(
                "/data/kv/\(name)", try PosixFileSystem().readFile("\(Self.folder)/\(name)", limitBytes: 1 << 20))
        }
        let clock = TestClock()
        // A second after its last receipt.
        clock.step(milliseconds: -99_999_999_000)
        var configuration = LogConfiguration(directory: "/data/kv", owner: "test")
        configuration.segmentBytes = 1 << 20
        configuration.heartbeatMilliseconds = 1_000_000
        return try EmbeddedEngine(opening: configuration, fileSystem: fileSystem, clock: clock.storeClock)
    }

    /// - Parameter request: as the store knows it: another one has another fingerprint.
    private static func key(_ text: String, for request: String) -> IdempotencyKey {
        var fingerprint = IdempotencyKey.Fingerprint()
        fingerprint.add(Array(request.utf8))
        return IdempotencyKey(Array(text.utf8), fingerprint: fingerprint)
    }

    @Test func `has the records of its snapshot and segments, with what expires`() throws {
        let engine = try Self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        #expect(session.keys() == ["beta", "counter", "gamma", "session"])
        #expect(session.get("beta").map { $0 == ("", 6) } == true)
        #expect(session.get("counter").map { $0 == ("7", 5) } == true)
        #expect(session.get("gamma").map { $0 == ("\u{E9}", 8) } == true)
        #expect(session.get("session").map { $0 == ("2", 6) } == true)
        #expect(session.expiry("session") == Self.expiry && session.expiry("counter") == 0)
    }

    @Test func `answers each write that is repeated as the first time`() throws {
        let engine = try Self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        #expect(engine.idempotencyKeys == 5)
        session.set("alpha", "one", once: Self.key("once-2", for: "set"), as: "copied")
        session.set("gamma", "\u{E9}", once: Self.key("once-8", for: "set"), as: "set")
        session.delete("beta", once: Self.key("once-4", for: "delete"), as: "delete")
        let increment = Transaction([.increment(key: Array("counter".utf8), by: 1)])
        session.perform(increment, once: Self.key("once-5", for: "increment"), as: "increment")
        let several = Transaction([.get(key: Array("beta".utf8))])
        session.perform(several, once: Self.key("once-6", for: "transaction"), as: "transaction")
        session.set("beta", "other", once: Self.key("once-8", for: "another set"), as: "reused")
        try session.finish()
        #expect(session.results["copied"]?.outcome == .set(revision: 2, created: false))
        #expect(session.results["set"]?.outcome == .set(revision: 8, created: false))
        #expect(session.results["delete"]?.outcome == .deleted(revision: 4, existed: true))
        #expect(increment.outcome == .committed(revision: 5, [.number(7, expiresAt: 0)]))
        let results: [Transaction.Result] = [
            .set(expiresAt: Self.expiry), .deleted, .missing, .found(revision: 5, expiresAt: 0), .set(expiresAt: 0),
        ]
        #expect(several.outcome == .committed(revision: 6, results))
        #expect(session.results["reused"]?.outcome == .idempotencyKeyReused)
        #expect(session.results.filter { !$0.value.isReplayed }.map(\.key) == ["reused"])
        #expect(session.get("beta")?.value == "" && session.get("alpha") == nil)
    }
}
