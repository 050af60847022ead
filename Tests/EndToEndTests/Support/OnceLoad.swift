import Synchronization
import TestSupport

/// Clients that write with idempotency keys, one write after the other: increments, transactions of several operations, and
/// sets that expire. After a restart they repeat the newest ones. What was acknowledged must have the same answer again;
/// what had no answer gets one; and in the end everything counts once.
final class OnceLoad: Sendable {
    private struct Write {
        let number: Int
        let path: String
        let body: String
        /// Nil if there was none.
        var answer: String?
    }

    private struct Client {
        /// The newest ones, oldest first.
        var writes: [Write] = []
        var written = 0
        var increments = 0
        /// The number of the last transaction.
        var pair = 0
    }

    struct Totals {
        var acknowledged = 0
        /// Writes without an answer, and those of them that had been carried out.
        var unknown = 0
        var unknownFoundApplied = 0
        var replays = 0
    }

    private struct State {
        var clients: [Client]
        var totals = Totals()
    }

    /// So many of a client's writes are repeated after a restart.
    private static let repeated = 12

    private let state: Mutex<State>
    private let clients: Int

    init(clients: Int = 3) {
        self.clients = clients
        self.state = Mutex(State(clients: Array(repeating: Client(), count: clients)))
    }

    var totals: Totals { self.state.withLock { $0.totals } }

    /// - Parameters:
    ///   - operations: so many of each client, or as many as there are until the connection breaks.
    ///   - mayFail: whether a write may be refused, after which the client stops.
    func start(on port: UInt16, _ threads: Threads, operations: Int, mayFail: Bool, ledger: CrashLedger) {
        for number in 0..<self.clients {
            threads.start {
                guard let connection = try? HTTPConnection(port: port) else { return }
                for _ in 0..<operations {
                    let write = self.begin(number)
                    guard let answer = try? Self.send(write, of: number, connection) else { return }
                    guard answer.status == 200 else {
                        if !mayFail { ledger.violate("\(write.body) was answered \(answer.status): \(answer.text)") }
                        return
                    }
                    self.state.withLock { state in
                        state.totals.acknowledged += 1
                        state.clients[number].writes[state.clients[number].writes.count - 1].answer = answer.text
                    }
                }
            }
        }
    }

    private func begin(_ number: Int) -> Write {
        self.state.withLock { state in
            state.clients[number].written += 1
            let written = state.clients[number].written
            var write = Write(number: written, path: "incr", body: #"{"key":"once\#(number)/count"}"#)
            switch written % 3 {
            case 0: state.clients[number].increments += 1
            case 1:
                state.clients[number].pair = written
                let operations = [
                    #"{"op":"set","key":"once\#(number)/left","value":"\#(written)"}"#,
                    #"{"op":"delete","key":"once\#(number)/none"}"#,
                    #"{"op":"set","key":"once\#(number)/right","value":"\#(written)","ttl_ms":3600000}"#,
                ]
                write = Write(
                    number: written, path: "txn", body: #"{"operations":[\#(operations.joined(separator: ","))]}"#)
            default:
                let body = #"{"key":"once\#(number)/session","value":"\#(written)","ttl_ms":3600000}"#
                write = Write(number: written, path: "set", body: body)
            }
            state.clients[number].writes.append(write)
            let surplus = state.clients[number].writes.count - Self.repeated
            if surplus > 0 { state.clients[number].writes.removeFirst(surplus) }
            return write
        }
    }

    private static func send(_ write: Write, of client: Int, _ connection: HTTPConnection) throws -> HTTPAnswer {
        try connection.request(
            "POST", "/kv/\(write.path)",
            headers: [
                ("Content-Type", "application/json"), ("Idempotency-Key", "once\(client)-\(write.number)"),
            ], body: Array(write.body.utf8))
    }

    /// After a restart: repeats the newest writes, and reads what they have left.
    func verify(port: UInt16, _ ledger: CrashLedger) throws {
        let connection = try HTTPConnection(port: port)
        for number in 0..<self.clients {
            let client = self.state.withLock { $0.clients[number] }
            for place in client.writes.indices {
                let write = client.writes[place]
                let answer = try Self.send(write, of: number, connection)
                let isReplayed = answer["Idempotency-Replayed"] == "true"
                if answer.status != 200 || write.answer.map({ $0 != answer.text || !isReplayed }) == true {
                    ledger.violate(
                        "\(write.body) was answered \(write.answer ?? "nothing"), then \(answer.status), "
                            + "\(isReplayed ? "" : "not ")replayed: \(answer.text)")
                }
                self.state.withLock { state in
                    state.clients[number].writes[place].answer = answer.text
                    if isReplayed { state.totals.replays += 1 }
                    if write.answer == nil { state.totals.unknown += 1 }
                    if write.answer == nil && isReplayed { state.totals.unknownFoundApplied += 1 }
                }
            }
            try self.check(number, client, connection, ledger)
        }
    }

    private func check(
        _ number: Int, _ client: Client, _ connection: HTTPConnection, _ ledger: CrashLedger
    ) throws {
        let session = client.writes.last { $0.path == "set" }?.number
        for (name, expected) in [
            ("count", client.increments), ("left", client.pair), ("right", client.pair), ("session", session ?? 0),
        ] where expected > 0 {
            let answer = try connection.request("GET", "/kv/get?key=once\(number)/\(name)")
            let value = try answer.json.string("value")
            if value != "\(expected)" {
                ledger.violate("once\(number)/\(name) is \(value ?? "absent"), not \(expected)")
            }
            let expires = try answer.json.integer("expires_at") != nil
            if expires != (name == "right" || name == "session") {
                ledger.violate("once\(number)/\(name) has \(expires ? "an" : "no") expiry time")
            }
        }
    }
}
