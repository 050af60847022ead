import TestSupport

/// Clients of a service that may end at any moment: writers of keys of their own, readers of all of them, and writers with
/// idempotency keys.
struct CrashLoad: Sendable {
    let ledger: CrashLedger
    let once = OnceLoad()
    var writers = 16
    var readers = 4
    var keysPerWriter = 24
    /// So many operations each, or as many as there are until the connection breaks.
    var operationsPerWriter = Int.max
    /// Whether the log may fail under the writers: a write that failed may have been written or not.
    var mayFail = false

    func start(on port: UInt16, seed: UInt64) -> Threads {
        let threads = Threads()
        let highest = self.ledger.totals.highestRevision
        for writer in 0..<self.writers {
            threads.start {
                var generator = SeededGenerator(seed: seed &+ UInt64(writer))
                self.write(as: writer, port: port, after: highest, generator: &generator)
            }
        }
        for reader in 0..<self.readers {
            threads.start {
                var generator = SeededGenerator(seed: seed &+ 1_000 &+ UInt64(reader))
                self.read(port: port, generator: &generator)
            }
        }
        self.once.start(
            on: port, threads, operations: self.operationsPerWriter, mayFail: self.mayFail, ledger: self.ledger)
        return threads
    }

    /// Reads every key that was ever written, and repeats writes that have idempotency keys.
    func verify(port: UInt16) throws {
        try self.once.verify(port: port, self.ledger)
        let client = try KeyValueClient(port: port, through: .kvService)
        for key in self.ledger.keys {
            let answer = try client.getRaw(Array(key.utf8))
            switch answer.status {
            case 200: self.ledger.check(key, value: answer.body)
            case 404: self.ledger.check(key, value: nil)
            default: self.ledger.violate("GET of \(key) after a restart answered \(answer.status): \(answer.text)")
            }
        }
    }

    /// Waits until so many writes have been acknowledged in all, or something was wrong.
    func waitUntilAcknowledged(_ count: Int) throws {
        _ = try Poll.until("\(count) writes are acknowledged", seconds: 60) {
            let totals = self.ledger.totals
            return totals.acknowledged >= count || !totals.violations.isEmpty ? true : nil
        }
    }

    private func key(_ writer: Int, _ generator: inout SeededGenerator) -> String {
        "w\(writer)k\(Int.random(in: 0..<self.keysPerWriter, using: &generator))"
    }

    /// Sets and deletes its own keys until the connection breaks.
    private func write(as writer: Int, port: UInt16, after highest: Int, generator: inout SeededGenerator) {
        guard let client = try? KeyValueClient(port: port, through: .kvService) else { return }
        var revision = highest
        var count = 0
        while count < self.operationsPerWriter {
            count += 1
            let key = self.key(writer, &generator)
            let operation = self.ledger.begin(key, deletes: Int.random(in: 0..<5, using: &generator) == 0)
            let bytes = Array(key.utf8)
            let value = CrashLedger.value(of: key, number: operation.number)
            guard let answer = try? operation.deletes ? client.delete(bytes) : client.set(bytes, value) else { return }
            let json = try? answer.json
            switch (answer.status, json?.string("applied")) {
            case (200, _):
                let wrote = json?.bool("deleted") != false
                self.ledger.acknowledge(
                    key, operation, revision: wrote ? json?.integer("revision") : nil, previous: &revision)
            case (_, "no"):
                self.ledger.refuse(key, operation)
                if self.mayFail { return }
            case (503, "unknown") where self.mayFail: return
            default:
                self.ledger.violate("a write was answered \(answer.status): \(answer.text)")
                return
            }
        }
    }

    private func read(port: UInt16, generator: inout SeededGenerator) {
        guard let client = try? KeyValueClient(port: port, through: .kvService) else { return }
        while true {
            let key = self.key(Int.random(in: 0..<self.writers, using: &generator), &generator)
            let floor = self.ledger.floor(of: key)
            guard let answer = try? client.getRaw(Array(key.utf8)) else { return }
            switch answer.status {
            case 200: self.ledger.noteRead(key, value: answer.body, floor: floor)
            case 404: self.ledger.noteRead(key, value: nil, floor: floor)
            default:
                self.ledger.violate("a read was answered \(answer.status): \(answer.text)")
                return
            }
        }
    }
}
