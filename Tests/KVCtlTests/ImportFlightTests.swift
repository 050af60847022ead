import KeyValueClient
import Synchronization
import TestSupport
import Testing

@testable import KVCtl

@Suite("Sets of an import under way", .timeLimit(.minutes(1)))
struct ImportFlightTests {
    private static func record(_ key: String, _ value: Int) throws -> ImportedRecord {
        try ImportedRecord(Array(#"{"key":"\#(key)","value":"\#(value)"}"#.utf8))
    }

    private static func place(_ line: Int) -> ImportFlight.Place {
        ImportFlight.Place(line: line, offset: UInt64(line) * 10)
    }

    /// What the sets do, as the test wants: they wait for gates, and some fail.
    private final class Store: Sendable {
        struct State {
            var values: [[UInt8]: [UInt8]] = [:]
            var open = 0
            var mostOpen = 0
            var openKeys: Set<[UInt8]> = []
            var overlaps = 0
        }

        let state = Mutex(State())

        func set(_ record: ImportedRecord, pause: Duration) async throws {
            self.state.withLock { state in
                state.open += 1
                state.mostOpen = max(state.mostOpen, state.open)
                if !state.openKeys.insert(record.key).inserted { state.overlaps += 1 }
            }
            try await Task.sleep(for: pause)
            self.state.withLock { state in
                state.open -= 1
                state.openKeys.remove(record.key)
                state.values[record.key] = record.value
            }
        }
    }

    @Test func `no more than so many at a time, those of one key in order, and all of them`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let store = Store()
        let pauses = (0..<300).map { _ in Int.random(in: 0...3, using: &generator) }
        let keys = (0..<300).map { _ in "k\(Int.random(in: 0..<12, using: &generator))" }
        let flight = ImportFlight(parallel: 5, from: .init()) { record in
            let number = Int(String(decoding: record.value, as: UTF8.self)) ?? 0
            try await store.set(record, pause: .milliseconds(pauses[number]))
        }
        var expected: [[UInt8]: [UInt8]] = [:]
        for (number, key) in keys.enumerated() {
            let record = try Self.record(key, number)
            expected[record.key] = record.value
            #expect(try flight.submit(record, Self.place(number + 1)) {})
        }
        flight.finish {}
        let state = store.state.withLock { $0 }
        #expect(state.values == expected)
        #expect(state.overlaps == 0)
        #expect(2...5 ~= state.mostOpen)
        #expect(flight.applied == Self.place(300) && flight.records == 300 && flight.failure == nil)
    }

    @Test func `the place is before the first line that is open, whatever is applied behind it`() throws {
        let gate = AsyncGate()
        let flight = ImportFlight(parallel: 4, from: Self.place(7)) { record in
            if record.key == Array("slow".utf8) { await gate.wait() }
        }
        #expect(flight.applied == Self.place(7))
        for (number, key) in ["a", "slow", "b", "c"].enumerated() {
            #expect(try flight.submit(try Self.record(key, 0), Self.place(8 + number)) {})
        }
        #expect(Poll.holds { flight.records == 3 })
        #expect(flight.applied == Self.place(8))
        gate.open()
        flight.finish {}
        #expect(flight.applied == Self.place(11) && flight.records == 4)
    }

    @Test func `a failure ends it, and nothing behind it counts`() throws {
        let flight = ImportFlight(parallel: 1, from: .init()) { record in
            guard record.key == Array("bad".utf8) else { return }
            // A port on which nobody listens: a real error of the client.
            var configuration = StoreClient.Configuration()
            configuration.maxAttempts = 1
            configuration.basePath = "/kv"
            let port = try FreePort.find()
            try await StoreClient.with("http://127.0.0.1:\(port)", configuration: configuration) { client in
                _ = try await client.set("a", "b")
            }
        }
        #expect(try flight.submit(try Self.record("a", 1), Self.place(1)) {})
        #expect(try flight.submit(try Self.record("bad", 1), Self.place(2)) {})
        #expect(try !flight.submit(try Self.record("b", 1), Self.place(3)) {})
        flight.finish {}
        #expect(flight.applied == Self.place(1))
        #expect(flight.failure?.line == 2 && flight.failure?.error.code == KeyValueError.cannotConnect)
    }
}

/// Lets tasks through once it is open.
private final class AsyncGate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = self.state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiting = self.state.withLock { state in
            state.isOpen = true
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
