import Glibc
import Synchronization
import TestSupport

/// Writers of transactions and clients that watch them, through restarts of both services. Each writer repeats a transaction
/// with its idempotency key until it has an answer, so that all changes are known in the end, with their revisions.
final class WatchLoad: Sendable {
    static let writers = 3
    static let prefixes = ["a/", "b/", "session/"]

    struct Watcher: Sendable {
        var front: Front
        /// Empty for all keys.
        var prefix = ""
        var polls = false
    }

    private struct State {
        var written: [UInt64: WatchedTransaction] = [:]
        var newest: UInt64 = 0
        var seen: [[WatchedTransaction]]
        var connections: [Int]
        var faults: [String] = []
        var isStopped = false
    }

    let watchers: [Watcher]
    private let ports: [Front: UInt16]
    private let state: Mutex<State>

    init(ports: [Front: UInt16], watchers: [Watcher]) {
        self.ports = ports
        self.watchers = watchers
        self.state = Mutex(
            State(
                seen: Array(repeating: [], count: watchers.count),
                connections: Array(repeating: 0, count: watchers.count)))
    }

    var written: [UInt64: WatchedTransaction] { self.state.withLock { $0.written } }
    var seen: [[WatchedTransaction]] { self.state.withLock { $0.seen } }
    var connections: [Int] { self.state.withLock { $0.connections } }
    var faults: [String] { self.state.withLock { $0.faults } }
    /// The newest revision that a writer knows.
    var newest: UInt64 { self.state.withLock { $0.newest } }
    /// For each watcher the revision up to which it has seen its changes.
    var progress: [UInt64] { self.state.withLock { $0.seen.map { $0.last?.revision ?? 0 } } }

    func fail(_ text: String) {
        self.state.withLock { $0.faults.append(text) }
    }

    // MARK: - Writers

    func startWriters(seed: UInt64) -> Threads {
        let threads = Threads()
        for writer in 0..<Self.writers {
            threads.start {
                var generator = SeededGenerator(seed: seed &+ UInt64(writer))
                var number = 0
                while !self.state.withLock({ $0.isStopped }) {
                    number += 1
                    self.write("\(writer)-\(number)", through: Front.allCases[writer % 2], &generator)
                }
            }
        }
        return threads
    }

    /// Then writes the last transaction, after which watchers end.
    func stopWriters(_ threads: Threads) {
        self.state.withLock { $0.isStopped = true }
        threads.join(seconds: 60)
        self.commit(Self.prefixes.map { WatchedChange(key: "\($0)end", value: "") }, "end", through: .kvService)
    }

    private func write(_ name: String, through front: Front, _ generator: inout SeededGenerator) {
        var changes: [WatchedChange] = []
        for place in 0..<Int.random(in: 1...5, using: &generator) {
            let key = "\(Self.prefixes.randomElement(using: &generator)!)\(Int.random(in: 0..<12, using: &generator))"
            if generator.chance(0.2) {
                changes.append(WatchedChange(key: key))
            } else {
                changes.append(WatchedChange(key: key, value: "\(name).\(place)"))
            }
        }
        self.commit(changes, name, through: front)
    }

    private func commit(_ changes: [WatchedChange], _ name: String, through front: Front) {
        let operations = changes.map { change in
            guard let value = change.value else { return #"{"op":"delete","key":"\#(change.key)"}"# }
            // Longer and shorter lives than a restart takes.
            let expiry =
                change.key.hasPrefix("session/") ? #","ttl_ms":\#(1 + Int(change.key.utf8.last!) % 8 * 100)"# : ""
            return #"{"op":"set","key":"\#(change.key)","value":"\#(value)"\#(expiry)}"#
        }
        let body = #"{"operations":[\#(operations.joined(separator: ","))]}"#
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "watch-\(name)")]
        while true {
            let answer = try? HTTPConnection(port: self.ports[front]!).request(
                "POST", "/\(front.rawValue)/txn", headers: headers, body: Array(body.utf8))
            switch answer?.status {
            case 200?: return self.note(changes, answer)
            // The service is down, or begins.
            case nil, 502?, 503?, 504?: usleep(5_000)
            default: return self.fail("\(body) was answered \(answer?.text ?? "")")
            }
        }
    }

    /// Deletes of keys that were not there changed nothing.
    private func note(_ changes: [WatchedChange], _ answer: HTTPAnswer?) {
        guard let json = try? answer?.json, let revision = json.integer("revision") else {
            return self.fail("no revision in \(answer?.text ?? "")")
        }
        let made = zip(changes, json.objects("results")).filter { $1.bool("deleted") != false }.map(\.0)
        self.state.withLock { state in
            if made.isEmpty { return }
            let transaction = WatchedTransaction(revision: UInt64(revision), made)
            if let other = state.written.updateValue(transaction, forKey: transaction.revision) {
                state.faults.append("\(other) and \(transaction) have the same revision")
            }
            state.newest = max(state.newest, transaction.revision)
        }
    }

    // MARK: - Watchers

    func startWatchers() -> Threads {
        let threads = Threads()
        for number in self.watchers.indices {
            threads.start {
                while !self.isOver(number) {
                    do {
                        if self.watchers[number].polls { try self.poll(number) } else { try self.stream(number) }
                    } catch let error as TimeoutError {
                        self.fail("watcher \(number): \(error)")
                    } catch {
                        // The connection broke, or nobody listens.
                        usleep(5_000)
                    }
                }
            }
        }
        return threads
    }

    /// Whether it has seen the last transaction.
    private func isOver(_ number: Int) -> Bool {
        self.state.withLock { state in
            !state.faults.isEmpty || state.seen[number].last?.changes.last?.key.hasSuffix("/end") == true
        }
    }

    private func target(_ number: Int) -> String {
        let watcher = self.watchers[number]
        return "/\(watcher.front.rawValue)/watch?prefix=\(KeyValueClient.encoded(Array(watcher.prefix.utf8)))"
    }

    private func since(_ number: Int) -> UInt64 {
        self.state.withLock { $0.seen[number].last?.revision ?? 0 }
    }

    private func noteConnection(_ number: Int) { self.state.withLock { $0.connections[number] += 1 } }

    private func add(_ transaction: WatchedTransaction, _ number: Int) {
        self.state.withLock { $0.seen[number].append(transaction) }
    }

    private func stream(_ number: Int) throws {
        let port = self.ports[self.watchers[number].front]!
        let stream = try WatchStream(
            port: port, self.target(number), headers: ["Last-Event-ID: \(self.since(number))"])
        guard stream.status == 200 else { return self.checkRefusal(stream.status, stream.head) }
        self.noteConnection(number)
        while !self.isOver(number), let item = try stream.next() {
            guard case .event(let name, let id, let data) = item else { continue }
            let json = try JSONObject(data.utf8)
            // The service drains, or the gateway has lost it.
            if name == "end" {
                if !["draining", "upstream_lost"].contains(json.string("code")) {
                    self.fail("watcher \(number) was ended with \(data)")
                }
                return
            }
            let transaction = try WatchedTransaction(json)
            if id != transaction.revision { self.fail("event \(id ?? 0) has the data \(data)") }
            self.add(transaction, number)
        }
    }

    private func poll(_ number: Int) throws {
        let connection = try HTTPConnection(port: self.ports[self.watchers[number].front]!)
        var isFirst = true
        while !self.isOver(number) {
            let answer = try connection.request(
                "GET", "\(self.target(number))&mode=poll&wait_ms=500&limit=20&since=\(self.since(number))")
            guard answer.status == 200 else { return self.checkRefusal(answer.status, answer.text) }
            if isFirst { self.noteConnection(number) }
            isFirst = false
            // The same answer may hold keys that expired behind the last transaction.
            for event in try answer.json.objects("events") where !self.isOver(number) {
                self.add(try WatchedTransaction(event), number)
            }
        }
    }

    private func checkRefusal(_ status: Int, _ text: String) {
        if ![502, 503, 504].contains(status) { return self.fail("a watch was refused: \(text)") }
        usleep(5_000)
    }
}
