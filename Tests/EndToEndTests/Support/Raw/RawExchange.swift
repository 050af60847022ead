import Synchronization
import TestSupport

/// One connection of a client that sends a ``RawRequest``, and what became of it.
struct RawExchange {
    /// Sets `{key}-next` to `next` and ends the connection.
    private static let following =
        "PUT /api/set?key={key}-next HTTP/1.1\r\nHost: a\r\nX-Request-Id: {id}-next\r\nConnection: close\r\n"
        + "Content-Type: application/octet-stream\r\nContent-Length: 4\r\n\r\nnext"

    let request: RawRequest
    /// Whether a further request follows in the same write, which must be carried out if the connection takes one, and
    /// must not otherwise.
    let isFollowed: Bool
    private let name: String
    private(set) var answers: [HTTPAnswer] = []

    var description: String { "\(self.request.name)\(self.isFollowed ? ", with another request behind it" : "")" }

    /// - Parameter number: no other exchange has it.
    init(_ request: RawRequest, number: Int, isFollowed: Bool) {
        self.request = request
        self.isFollowed = isFollowed
        // As long as `{key}`, so that lengths in the texts are right.
        self.name = "k" + String(10_000 + number).dropFirst()
    }

    private func filled(_ text: String) -> String {
        text.replacing("{id}", with: "raw-\(self.name)").replacing("{key}", with: self.name)
    }

    private var bytes: [UInt8] {
        RawRequest.bytes(self.filled(self.request.text + (self.isFollowed ? Self.following : "")))
    }

    var expectedStatuses: [Int] {
        self.request.statuses + (self.isFollowed && self.request.isOpen ? [200] : [])
    }

    /// What kv-service must have got of each answer's request; nil for one that must not reach it.
    var expectedReaches: [RawRequest.Reach?] {
        var reaches: [RawRequest.Reach?] = self.request.statuses.indices.map {
            $0 < self.request.reaches.count ? self.request.reaches[$0] : nil
        }
        if self.isFollowed, self.request.isOpen { reaches.append(.set("next", key: "{key}-next")) }
        return reaches
    }

    /// What the store must contain because of it.
    var stored: [(key: [UInt8], value: [UInt8])] {
        self.expectedReaches.compactMap { reach in
            guard let reach, let value = reach.value else { return nil }
            return (RawRequest.bytes(self.filled(reach.key)), RawRequest.bytes(self.filled(value)))
        }
    }

    /// Sends it, and receives all that comes.
    ///
    /// - Returns: what was not as it should be.
    mutating func run(port: UInt16, trust: ClientTrust?) throws -> [String] {
        let connection = try RawConnection(port: port, trust: trust)
        defer { connection.close() }
        if self.request.way == .byByte {
            for byte in self.bytes { connection.send([byte]) }
        } else {
            connection.send(self.bytes)
        }
        if self.request.way == .ended { connection.endSending() }
        let expected = self.expectedStatuses
        let ends = self.isFollowed || !self.request.isOpen
        if ends, !connection.waitForEnd() {
            return ["\(self.description): the connection does not end: \(connection.text.debugDescription)"]
        }
        // The one that follows has a body, and none of `HEAD` has.
        self.answers = try connection.answers(
            ends ? .max : expected.count, withoutBody: self.request.isHead && !self.isFollowed)
        var faults: [String] = []
        if self.answers.map(\.status) != expected {
            faults.append("\(self.description): \(self.answers.map(\.status)), not \(expected): \(connection.text)")
        }
        if ends, let last = self.answers.last, last["Connection"] != "close" {
            faults.append("\(self.description): the last answer does not say that the connection closes")
        }
        if self.answers.contains(where: { $0["X-Request-Id"] == nil }) {
            faults.append("\(self.description): an answer without a request id")
        }
        return faults
    }
}

/// All raw requests, each alone and with another one behind it, several connections at a time.
final class RawRun: Sendable {
    private struct State {
        var next = 0
        var exchanges: [RawExchange] = []
        var faults: [String] = []
    }

    private static let clients = 4

    private let state: Mutex<State>
    private let port: UInt16
    private let trust: ClientTrust?

    init(port: UInt16, trust: ClientTrust?) {
        var exchanges: [RawExchange] = []
        for request in RawRequest.all {
            for isFollowed in request.way == .ended ? [false] : [false, true] {
                // The answer to HEAD has a length and no body; nothing can be told behind it.
                if isFollowed && request.isHead { continue }
                exchanges.append(RawExchange(request, number: exchanges.count, isFollowed: isFollowed))
            }
        }
        (self.port, self.trust) = (port, trust)
        self.state = Mutex(State(exchanges: exchanges))
    }

    var exchanges: [RawExchange] { self.state.withLock { $0.exchanges } }

    /// - Returns: what was not as it should be.
    func all() -> [String] {
        let threads = Threads()
        for _ in 0..<Self.clients {
            threads.start {
                while let (place, exchange) = self.takeNext() {
                    var exchange = exchange
                    let faults: [String]
                    do {
                        faults = try exchange.run(port: self.port, trust: self.trust)
                    } catch {
                        faults = ["\(exchange.description): \(error)"]
                    }
                    self.state.withLock { [exchange] state in
                        state.exchanges[place] = exchange
                        state.faults += faults
                    }
                }
            }
        }
        threads.join()
        return self.state.withLock { $0.faults }
    }

    private func takeNext() -> (Int, RawExchange)? {
        self.state.withLock { state in
            guard state.next < state.exchanges.count else { return nil }
            defer { state.next += 1 }
            return (state.next, state.exchanges[state.next])
        }
    }
}
