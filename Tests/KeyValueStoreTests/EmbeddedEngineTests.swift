import Dispatch
import Glibc
import Synchronization
import SystemSupport
import TestSupport
import Testing
import TransactionLog

@testable import KeyValueStore
@testable import LogFormat

@Suite("The embedded engine", .timeLimit(.minutes(1)))
struct EmbeddedEngineTests {
    private let folder = TemporaryFolder()

    private func open(_ change: (inout LogConfiguration) -> Void = { _ in }) throws -> EmbeddedEngine {
        var configuration = LogConfiguration(directory: self.folder.path + "/kv", owner: "test, process \(getpid())")
        configuration.segmentBytes = 64 << 10
        change(&configuration)
        return try EmbeddedEngine(opening: configuration)
    }

    @Test("numbers every change and answers in the order of submission")
    func revisions() throws {
        let engine = try self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        session.set("a", "1", as: "first")
        session.set("a", "2", as: "second")
        session.delete("a", as: "third")
        session.delete("a", as: "fourth")
        session.set("b", "", as: "fifth")
        try session.finish()
        #expect(session.results["first"]?.outcome == .set(revision: 1, created: true))
        #expect(session.results["second"]?.outcome == .set(revision: 2, created: false))
        #expect(session.results["third"]?.outcome == .deleted(revision: 3, existed: true))
        #expect(session.results["fourth"]?.outcome == .deleted(revision: 3, existed: false))
        #expect(session.results["fifth"]?.outcome == .set(revision: 4, created: true))
        #expect(session.get("a") == nil)
        #expect(session.get("b")?.value == "")
    }

    @Test("gives each result to the write that waits for it, once, and holds that write no longer")
    func pendingWrites() throws {
        let engine = try self.open()
        defer { engine.close() }
        let woken = [DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)]
        let sessions = woken.map { woken in engine.makeSession(wake: { woken.signal() }, endOfTurn: {}) }
        var alive = WeakWrites()
        let results = Results()
        for round in 0..<3 {
            for number in 0..<10 {
                let write = TestWrite(number, results)
                alive.append(write)
                Array("key \(number)".utf8).withUnsafeBytes { key in
                    if round == 2 {
                        sessions[number % 2].delete(key, if: .none, deadline: nil, once: nil, for: write)
                    } else {
                        sessions[number % 2].set(
                            key, to: key, expiring: .never, if: .none, deadline: nil, once: nil, for: write)
                    }
                }
            }
            #expect(alive.count == 10)
            sessions.forEach { $0.flush() }
            for (session, woken) in zip(sessions, woken) {
                while results.numbers(session === sessions[0] ? 0 : 1).count < 5 {
                    try #require(woken.wait(timeout: .now() + 20) == .success, "no completion within 20 s")
                    session.deliverCompletions()
                }
            }
            #expect(alive.count == 0)
            #expect(results.numbers(0) == [0, 2, 4, 6, 8])
            #expect(results.numbers(1) == [1, 3, 5, 7, 9])
            for (number, result) in results.takeAll() {
                switch (round, result.outcome) {
                case (0, .set(_, created: true)), (1, .set(_, created: false)), (2, .deleted(_, existed: true)): break
                default: Issue.record("write \(number) of round \(round): \(result)")
                }
                #expect(result.timings.batchWrites > 0)
                #expect(result.timings.queuedAt > 0)
            }
        }
        #expect(engine.figures.keys == 0)
    }

    @Test("writes nothing for the removal of a key that is not there")
    func absentDelete() throws {
        let engine = try self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        session.set("a", "1")
        try session.finish()
        let bytes = engine.statistics.appendedBytes.load(ordering: .acquiring)
        session.delete("nothing")
        try session.finish()
        #expect(session.results["nothing"]?.outcome == .deleted(revision: 1, existed: false))
        #expect(engine.statistics.appendedBytes.load(ordering: .acquiring) == bytes)
    }

    @Test("refuses what is too late when its turn comes, and writes nothing of it")
    func deadlines() throws {
        do {
            let engine = try self.open()
            defer { engine.close() }
            let session = TestSession(engine)
            session.set("a", "1")
            session.set("b", "1")
            try session.finish()
            let past = MonotonicClock.nanoseconds()
            let future = past + 60_000_000_000
            session.set("a", "late", deadline: past, as: "late set")
            session.set("c", "in time", deadline: future, as: "set")
            session.delete("b", deadline: past, as: "late delete")
            session.delete("a", deadline: future, as: "delete")
            try session.finish()
            #expect(session.results["late set"]?.outcome == .late)
            #expect(session.results["late delete"]?.outcome == .late)
            #expect(session.results["set"]?.outcome == .set(revision: 3, created: true))
            #expect(session.results["delete"]?.outcome == .deleted(revision: 4, existed: true))
            let bytes = engine.statistics.appendedBytes.load(ordering: .acquiring)
            session.set("a", "late", deadline: past, as: "alone")
            try session.finish()
            #expect(session.results["alone"]?.outcome == .late)
            #expect(engine.statistics.appendedBytes.load(ordering: .acquiring) == bytes)
        }
        let engine = try self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        #expect(session.get("a") == nil)
        #expect(session.get("b")?.value == "1")
        #expect(session.get("c")?.value == "in time")
    }

    @Test("refuses sets that would take the index above its ceiling, and nothing else")
    func memoryCeiling() throws {
        let engine = try self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        session.set("a", String(repeating: "v", count: 1_000))
        session.set("b", String(repeating: "v", count: 1_000))
        try session.finish()
        engine.memory.ceilingBytes.store(engine.memory.bytes.load(ordering: .relaxed) + 100, ordering: .relaxed)
        session.set("c", String(repeating: "v", count: 1_000), as: "too much")
        session.set("a", String(repeating: "w", count: 1_000), as: "as large")
        session.set("b", "", as: "smaller")
        session.set("a", String(repeating: "x", count: 2_000), as: "larger")
        try session.finish()
        #expect(session.results["too much"]?.outcome == .outOfMemory)
        #expect(session.results["as large"]?.outcome == .set(revision: 3, created: false))
        #expect(session.results["smaller"]?.outcome == .set(revision: 4, created: false))
        #expect(session.results["larger"]?.outcome == .outOfMemory)
        #expect(engine.memory.refusals.load(ordering: .relaxed) == 2)
        #expect(session.get("c") == nil && session.get("b")?.value == "")
        session.delete("a")
        try session.finish()
        #expect(session.results["a"]?.outcome == .deleted(revision: 5, existed: true))
        // The memory of deleted keys is freed at the latest with the commit after the next one.
        for round in 0..<2 {
            session.set("small", "\(round)")
            try session.finish()
        }
        session.set("c", String(repeating: "v", count: 500), as: "again")
        try session.finish()
        #expect(session.results["again"]?.outcome == .set(revision: 8, created: true))
    }

    @Test("brings everything back after a restart, with its revisions, over several segments")
    func restart() throws {
        var expected: [String: (String, UInt64)] = [:]
        do {
            let engine = try self.open()
            defer { engine.close() }
            let session = TestSession(engine)
            var revision: UInt64 = 0
            for round in 0..<20 {
                for number in 0..<50 {
                    let key = "key-\(number % 37)"
                    if number % 7 == 3 {
                        if expected.removeValue(forKey: key) != nil { revision += 1 }
                        session.delete(key)
                    } else {
                        revision += 1
                        let value = String(repeating: "v\(round)", count: number * 5)
                        expected[key] = (value, revision)
                        session.set(key, value)
                    }
                }
                try session.finish()
            }
            #expect(engine.statistics.segments.count > 2)
        }
        let engine = try self.open()
        defer { engine.close() }
        #expect(engine.report.wasCleanShutdown)
        #expect(engine.figures.keys == expected.count)
        let session = TestSession(engine)
        for (key, (value, revision)) in expected {
            let found = try #require(session.get(key))
            #expect(found.value == value)
            #expect(found.revision == revision)
        }
        session.set("next", "x")
        try session.finish()
        #expect(session.results["next"]?.outcome == .set(revision: engine.report.lastRevision + 1, created: true))
    }

    @Test("refuses writes that are more than its queue may hold, and takes them later")
    func overload() throws {
        let engine = try self.open { $0.queueLimit = 10 }
        defer { engine.close() }
        let session = TestSession(engine)
        for number in 0..<11 { session.set("k\(number)", "v") }
        try session.finish()
        #expect(session.results.values.allSatisfy { $0.outcome == .refused(.overloaded) })
        #expect(engine.figures.keys == 0)
        session.set("k", "v")
        try session.finish()
        #expect(session.results["k"]?.outcome == .set(revision: 1, created: true))
    }

    @Test("refuses writes after it was closed")
    func closed() throws {
        let engine = try self.open()
        let session = TestSession(engine)
        engine.close()
        session.set("k", "v")
        try session.finish()
        #expect(session.results["k"]?.outcome == .refused(.closed))
    }

    @Test("is used by one process at a time, and says by which")
    func locked() throws {
        let engine = try self.open()
        defer { engine.close() }
        do {
            _ = try self.open()
            Issue.record("a second engine opened the folder")
        } catch let LogError.locked(_, owner) {
            #expect(owner == "test, process \(getpid())")
        }
    }
}

private final class Results {
    private var all: [(number: Int, result: WriteResult)] = []

    func append(_ number: Int, _ result: WriteResult) { self.all.append((number, result)) }

    /// Of the writes with this remainder, in the order of their results.
    func numbers(_ remainder: Int) -> [Int] { self.all.map(\.number).filter { $0 % 2 == remainder } }

    func takeAll() -> [(number: Int, result: WriteResult)] {
        defer { self.all = [] }
        return self.all
    }
}

private final class TestWrite: PendingWrite {
    private let number: Int
    private let results: Results

    init(_ number: Int, _ results: Results) {
        self.number = number
        self.results = results
    }

    func writeCompleted(_ result: WriteResult) { self.results.append(self.number, result) }
}

private struct WeakWrites {
    private var references: [() -> TestWrite?] = []

    mutating func append(_ write: TestWrite) { self.references.append { [weak write] in write } }

    var count: Int { self.references.count { $0() != nil } }
}
