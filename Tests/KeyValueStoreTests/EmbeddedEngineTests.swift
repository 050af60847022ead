import Glibc
import Synchronization
import Testing
import TransactionLog

@testable import KeyValueStore

@Suite("The embedded engine")
struct EmbeddedEngineTests {
    private let folder = TemporaryFolder()

    private func open(_ change: (inout LogConfiguration) -> Void = { _ in }) throws -> EmbeddedEngine {
        var configuration = LogConfiguration(directory: self.folder.path + "/kv", owner: "test, process \(getpid())")
        configuration.segmentBytes = 64 << 10
        change(&configuration)
        return try EmbeddedEngine(opening: configuration)
    }

    @Test("numbers every change and answers in the order of submission")
    func versions() throws {
        let engine = try self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        session.set("a", "1", as: "first")
        session.set("a", "2", as: "second")
        session.delete("a", as: "third")
        session.delete("a", as: "fourth")
        session.set("b", "", as: "fifth")
        try session.finish()
        #expect(session.results["first"]?.outcome == .set(version: 1, created: true))
        #expect(session.results["second"]?.outcome == .set(version: 2, created: false))
        #expect(session.results["third"]?.outcome == .deleted(version: 3, existed: true))
        #expect(session.results["fourth"]?.outcome == .deleted(version: 3, existed: false))
        #expect(session.results["fifth"]?.outcome == .set(version: 4, created: true))
        #expect(session.get("a") == nil)
        #expect(session.get("b")?.value == "")
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
        #expect(session.results["nothing"]?.outcome == .deleted(version: 1, existed: false))
        #expect(engine.statistics.appendedBytes.load(ordering: .acquiring) == bytes)
    }

    @Test("brings everything back after a restart, with its versions, over several segments")
    func restart() throws {
        var expected: [String: (String, UInt64)] = [:]
        do {
            let engine = try self.open()
            defer { engine.close() }
            let session = TestSession(engine)
            var version: UInt64 = 0
            for round in 0..<20 {
                for number in 0..<50 {
                    let key = "key-\(number % 37)"
                    if number % 7 == 3 {
                        if expected.removeValue(forKey: key) != nil { version += 1 }
                        session.delete(key)
                    } else {
                        version += 1
                        let value = String(repeating: "v\(round)", count: number * 5)
                        expected[key] = (value, version)
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
        for (key, (value, version)) in expected {
            let found = try #require(session.get(key))
            #expect(found.value == value)
            #expect(found.version == version)
        }
        session.set("next", "x")
        try session.finish()
        #expect(session.results["next"]?.outcome == .set(version: engine.report.lastRevision + 1, created: true))
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
        #expect(session.results["k"]?.outcome == .set(version: 1, created: true))
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
