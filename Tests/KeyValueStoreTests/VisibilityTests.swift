import SimulatedStorage
import Testing
import TransactionLog

@testable import KeyValueStore

@Suite("The embedded engine: nothing is read before it is durable", .timeLimit(.minutes(1)))
struct VisibilityTests {
    @Test func `a change is not read while its sync is on the way, and is when it is answered`() throws {
        let fileSystem = SimulatedFileSystem()
        var configuration = LogConfiguration(directory: "/data/kv", owner: "test")
        configuration.segmentBytes = 64 << 10
        configuration.heartbeatMilliseconds = 1_000_000
        let engine = try EmbeddedEngine(opening: configuration, fileSystem: fileSystem)
        let session = TestSession(engine)
        session.set("kept", "old")
        session.set("gone", "old")
        try session.finish()
        let gate = fileSystem.gate(on: .fdatasync, path: ".log")
        session.set("kept", "new")
        session.set("new", "1")
        session.delete("gone")
        session.send()
        #expect(gate.waitForArrival())
        for _ in 0..<3 {
            #expect(session.get("kept")?.value == "old")
            #expect(session.get("kept")?.revision == 1)
            #expect(session.get("new") == nil)
            #expect(session.get("gone")?.value == "old")
        }
        gate.open()
        try session.finish()
        #expect(session.get("kept")?.value == "new")
        #expect(session.get("new")?.revision == 4)
        #expect(session.get("gone") == nil)
        engine.close()
    }
}
