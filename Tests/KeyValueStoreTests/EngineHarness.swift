import Dispatch
import Glibc
import Testing

@testable import DurableFiles
@testable import KeyValueStore
@testable import LogFormat

/// Uses an engine's session from a test's thread, which stands for an event loop.
final class TestSession {
    private let session: any StorageSession
    private let woken: DispatchSemaphore
    private(set) var results: [String: WriteResult] = [:]
    private var outstanding = 0

    init(_ engine: EmbeddedEngine) {
        let woken = DispatchSemaphore(value: 0)
        self.woken = woken
        self.session = engine.makeSession(wake: { woken.signal() }, endOfTurn: {})
    }

    func get(_ key: String) -> (value: String, revision: UInt64)? {
        var found: (String, UInt64)?
        self.session.get(Array(key.utf8)) { outcome in
            if case .value(let bytes, let revision, _) = outcome {
                found = (String(decoding: bytes, as: UTF8.self), revision)
            }
        }
        return found
    }

    func set(
        _ key: String, _ value: String, expiring expiry: Expiry = .never, if condition: WriteCondition = .none,
        deadline: UInt64? = nil, once idempotencyKey: IdempotencyKey? = nil, as name: String? = nil
    ) {
        self.outstanding += 1
        Array(value.utf8).withUnsafeBytes {
            self.session.set(
                Array(key.utf8), to: $0, expiring: expiry, if: condition, deadline: deadline, once: idempotencyKey
            ) { result in
                self.complete(name ?? key, result)
            }
        }
    }

    func delete(
        _ key: String, if condition: WriteCondition = .none, deadline: UInt64? = nil,
        once idempotencyKey: IdempotencyKey? = nil, as name: String? = nil
    ) {
        self.outstanding += 1
        self.session.delete(Array(key.utf8), if: condition, deadline: deadline, once: idempotencyKey) { result in
            self.complete(name ?? key, result)
        }
    }

    func perform(
        _ transaction: Transaction, deadline: UInt64? = nil, once idempotencyKey: IdempotencyKey? = nil,
        as name: String = "transaction"
    ) {
        self.outstanding += 1
        self.session.perform(transaction, deadline: deadline, once: idempotencyKey) { self.complete(name, $0) }
    }

    /// When the key expires, 0 for never; nil if it does not exist.
    func expiry(_ key: String) -> UInt64? {
        var found: UInt64?
        self.session.get(Array(key.utf8)) { if case .value(_, _, let expiresAt) = $0 { found = expiresAt } }
        return found
    }

    /// The keys that a scan finds; it counts as many.
    func keys() -> [String] {
        var keys: [String] = []
        var scan = Scan(KeyRange())
        scan.counted = scan.range
        self.session.scan(scan) { result in
            guard case .success(let read) = result else {
                Issue.record("\(result)")
                return
            }
            let state = read { record in
                keys.append(String(decoding: record.key, as: UTF8.self))
                return true
            }
            #expect(state.count == keys.count)
        }
        return keys
    }

    private func complete(_ name: String, _ result: WriteResult) {
        self.results[name] = result
        self.outstanding -= 1
    }

    /// Sends what was queued.
    func send() { self.session.flush() }

    /// Sends what was queued and waits until all of it is completed.
    func finish() throws {
        self.session.flush()
        while self.outstanding > 0 {
            try #require(self.woken.wait(timeout: .now() + 20) == .success, "no completion within 20 s")
            self.session.deliverCompletions()
        }
    }
}
