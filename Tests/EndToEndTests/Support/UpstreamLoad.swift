import Glibc
import Synchronization
import TestSupport

/// Clients that read and write through the gateway while something is wrong with kv-service, and what they were told:
/// increments of one counter, and sets of keys of which each is set once.
final class UpstreamLoad: Sendable {
    /// What a client was told of a write.
    enum Outcome: String, Sendable {
        case applied, notApplied, unknown
    }

    struct Tally: Sendable {
        var answered = 0
        var sets: [String: Outcome] = [:]
        var increments: [Outcome: Int] = [:]
        /// Failures by status and code.
        var failures: [String: Int] = [:]
        var slowest = Duration.zero
        /// How long after ``UpstreamLoad/noteRecovery()`` a write succeeded that was sent later than that.
        var recovery: Duration?
        var faults: [String] = []
    }

    private struct State {
        var tally = Tally()
        var isOver = false
        var recoveryBegan: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    private let port: UInt16
    /// The gateway's time limit, and so much more that only a hang exceeds it.
    private let longest: Duration

    init(port: UInt16, timeout: Duration) {
        self.port = port
        self.longest = timeout + .seconds(3)
    }

    var tally: Tally { self.state.withLock { $0.tally } }

    /// - Returns: the threads, which end after ``end()``.
    func start(clients: Int) -> Threads {
        let threads = Threads()
        for number in 0..<clients {
            threads.start { self.run(number) }
        }
        return threads
    }

    func end() { self.state.withLock { $0.isOver = true } }

    /// kv-service is as it should be from now on.
    func noteRecovery() {
        self.state.withLock { state in
            state.recoveryBegan = .now
            state.tally.recovery = nil
        }
    }

    /// Waits until `count` more requests are answered.
    func waitForAnswers(_ count: Int) throws {
        let target = self.tally.answered + count
        _ = try Poll.until("\(count) further requests are answered") { self.tally.answered >= target ? true : nil }
    }

    /// Waits until a write succeeds that was sent after ``noteRecovery()``.
    func waitForRecovery() throws {
        _ = try Poll.until("a write succeeds after the recovery") { self.tally.recovery }
    }

    private func run(_ number: Int) {
        var connection: HTTPConnection?
        var place = 0
        var newest: String?
        while !self.state.withLock({ $0.isOver }) {
            place += 1
            let key = "c\(number)/\(place)"
            do {
                let used = try connection ?? HTTPConnection(port: self.port)
                switch place % 3 {
                case 0: try self.increment(on: used)
                case 1: if try self.set(key, on: used) == .applied { newest = key }
                default: if let newest { try self.read(newest, on: used) }
                }
                connection = used
            } catch {
                connection = nil
                self.state.withLock { $0.tally.faults.append("client \(number): \(error)") }
            }
            // A pace, so that refusals, which cost nothing, are not all that is measured.
            usleep(1_000)
        }
    }

    private func set(_ key: String, on connection: HTTPConnection) throws -> Outcome {
        let outcome = try self.write("set", #"{"key":"\#(key)","value":"of \#(key)"}"#, on: connection)
        self.state.withLock { $0.tally.sets[key] = outcome }
        return outcome
    }

    private func increment(on connection: HTTPConnection) throws {
        let outcome = try self.write("incr", #"{"key":"count"}"#, on: connection)
        self.state.withLock { $0.tally.increments[outcome, default: 0] += 1 }
    }

    private func read(_ key: String, on connection: HTTPConnection) throws {
        let answer = try self.timed {
            try connection.request("GET", "/api/get?key=\(KeyValueClient.encoded(Array(key.utf8)))")
        }
        if answer.status == 200 {
            let value = try answer.json.string("value")
            if value != "of \(key)" { self.fault("\(key) was \(value ?? "nothing")") }
        } else if answer.status < 500 {
            self.fault("\(key) is acknowledged, and a read of it was answered \(answer.status): \(answer.text)")
        } else if try answer.json.string("applied") != nil {
            self.fault("a read was answered with applied: \(answer.text)")
        }
    }

    private func write(_ path: String, _ body: String, on connection: HTTPConnection) throws -> Outcome {
        let sent = ContinuousClock.now
        let answer = try self.timed {
            try connection.request(
                "POST", "/api/\(path)", headers: [("Content-Type", "application/json")], body: Array(body.utf8))
        }
        if answer.status == 200 {
            self.state.withLock { state in
                guard let began = state.recoveryBegan, began <= sent, state.tally.recovery == nil else { return }
                state.tally.recovery = .now - began
            }
            return .applied
        }
        switch try answer.json.string("applied") {
        case "no": return .notApplied
        case "unknown": return .unknown
        case let applied:
            self.fault("a write was answered \(answer.status) with applied \(applied ?? "missing"): \(answer.text)")
            return .unknown
        }
    }

    private func timed(_ request: () throws -> HTTPAnswer) throws -> HTTPAnswer {
        let sent = ContinuousClock.now
        let answer = try request()
        let took = ContinuousClock.now - sent
        let code = answer.status == 200 ? nil : try answer.json.string("code") ?? "no code"
        self.state.withLock { state in
            state.tally.answered += 1
            state.tally.slowest = max(state.tally.slowest, took)
            if let code { state.tally.failures["\(answer.status) \(code)", default: 0] += 1 }
        }
        if took > self.longest { self.fault("a request took \(took): \(answer.status) \(answer.text)") }
        return answer
    }

    private func fault(_ text: String) { self.state.withLock { $0.tally.faults.append(text) } }
}

extension UpstreamLoad {
    /// What the store contains after all requests have ended, compared with what the clients were told.
    ///
    /// - Parameters:
    ///   - port: of kv-service.
    ///   - others: writes that were not this load's.
    /// - Returns: what does not fit.
    func compare(withStoreAt port: UInt16, others: Int = 0) throws -> [String] {
        let tally = self.tally
        var faults = tally.faults
        var (rest, revision) = try Self.stored(port)
        let counter = rest.removeValue(forKey: "count").flatMap { Int($0) } ?? 0
        var found = 0
        for (key, outcome) in tally.sets {
            let value = rest.removeValue(forKey: key)
            if value != nil { found += 1 }
            if value != nil, value != "of \(key)" { faults.append("\(key) is \(value ?? "")") }
            switch outcome {
            case .applied where value == nil: faults.append("\(key) was acknowledged and is missing")
            case .notApplied where value != nil:
                faults.append("\(key) is there, and its client was told that it is not")
            case .applied, .notApplied, .unknown: break
            }
        }
        let (acknowledged, unknown) = (tally.increments[.applied] ?? 0, tally.increments[.unknown] ?? 0)
        if counter < acknowledged || counter > acknowledged + unknown {
            faults.append("the counter is \(counter), with \(acknowledged) acknowledged and \(unknown) unknown")
        }
        // Each write that was carried out has a revision, and the same one when it is repeated.
        if revision != found + counter + others {
            faults.append("\(revision) writes were carried out, not \(found + counter + others)")
        }
        return faults + rest.keys.map { "nobody has set \($0)" }
    }

    /// All keys but those that begin with `filler`, and the newest revision.
    private static func stored(_ port: UInt16) throws -> (values: [String: String], revision: Int) {
        let connection = try HTTPConnection(port: port)
        var (values, cursor): ([String: String], String?) = ([:], nil)
        while true {
            let page = try connection.request(
                "GET", "/kv/keys?values=true&limit=1000\(cursor.map { "&cursor=\($0)" } ?? "")"
            ).json
            for entry in page.objects("keys") {
                guard let key = entry.string("key"), !key.hasPrefix("filler") else { continue }
                values[key] = entry.string("value") ?? ""
            }
            cursor = page.string("cursor")
            if cursor == nil { return (values, page.integer("revision") ?? 0) }
        }
    }

    var summary: String {
        let tally = self.tally
        func count(_ outcome: Outcome) -> Int {
            (tally.increments[outcome] ?? 0) + tally.sets.values.count { $0 == outcome }
        }
        let failures = tally.failures.sorted { $0.key < $1.key }.map { "\($0.value) x \($0.key)" }
        return "\(tally.answered) answers; writes: \(count(.applied)) applied, \(count(.notApplied)) not, "
            + "\(count(.unknown)) unknown; failures: \(failures.joined(separator: ", ")); the slowest took "
            + "\(tally.slowest / .milliseconds(1)) ms; the first write after the recovery came after "
            + "\(tally.recovery.map { "\($0 / .milliseconds(1)) ms" } ?? "no time")"
    }
}
