import HistoryChecker
import TestSupport

/// Clients whose operations become a history. Those of a group share three keys; of the four of a group two go through the
/// gateway, and one of each two sends idempotency keys of its own and repeats with them what is unknown.
struct HistoryLoad: Sendable {
    static let clients = 16
    static let groups = 4

    let recorder = HistoryRecorder()
    let ports: [Front: UInt16]
    let operationsPerClient: Int

    func start(seed: UInt64) -> Threads {
        let threads = Threads()
        for number in 0..<Self.clients {
            threads.start {
                var client = Client(self, number, SeededGenerator(seed: seed &+ UInt64(number)))
                client.run()
            }
        }
        return threads
    }

    /// Clients that have not done all of their operations do no more.
    func end() { self.recorder.end() }

    /// Reads what each group has in the end.
    func readAll() {
        for group in 0..<Self.groups {
            var client = Client(self, Self.clients + group, SeededGenerator(seed: 0))
            client.perform(.mget, [], (0..<3).map { .get(group * 3 + $0) })
        }
    }

    private struct Client {
        let load: HistoryLoad
        let number: Int
        let repeatsUnknown: Bool
        var front: Front
        var generator: SeededGenerator
        var connection: HTTPConnection?
        var performed = 0

        init(_ load: HistoryLoad, _ number: Int, _ generator: SeededGenerator) {
            self.load = load
            self.number = number
            let place = number / HistoryLoad.groups
            self.front = place % 2 == 0 ? .kvService : .apiGateway
            self.repeatsUnknown = place % 4 >= 2
            self.generator = generator
        }

        mutating func run() {
            while self.performed < self.load.operationsPerClient && !self.load.recorder.isOver {
                self.performOne()
            }
        }

        private mutating func key() -> Int {
            self.number % HistoryLoad.groups * 3 + Int.random(in: 0..<3, using: &self.generator)
        }

        /// A condition that is often met.
        private func revision(_ key: Int) -> HistoryOperation.Check.Condition? {
            self.load.recorder.seen(key)?.revision.map { .revision($0) }
        }

        private mutating func performOne() {
            let (key, value) = (self.key(), "\(self.number)-\(self.performed)")
            let isConditional = self.generator.chance(0.5)
            switch Int.random(in: 0..<20, using: &self.generator) {
            case 0..<3: self.perform(.get, [], [.get(key)])
            case 3..<6: self.perform(.mget, [], (0..<3).map { .get(key / 3 * 3 + $0) })
            case 6..<10:
                let check = isConditional ? [HistoryOperation.Check(key, self.revision(key) ?? .absent)] : []
                self.perform(.set, check, [.set(key, self.generator.chance(0.3) ? "\(self.number)" : value)])
            case 10..<12:
                self.perform(.delete, isConditional ? [.init(key, self.revision(key) ?? .present)] : [], [.delete(key)])
            case 12..<16:
                let check =
                    self.generator.chance(0.2) ? [HistoryOperation.Check(key, self.revision(key) ?? .absent)] : []
                self.perform(.incr, check, [.increment(key, Int64.random(in: 1...9, using: &self.generator))])
            default: self.performTransaction(value)
            }
        }

        private mutating func performTransaction(_ value: String) {
            let checks = (0..<Int.random(in: 0...2, using: &self.generator)).map { _ -> HistoryOperation.Check in
                let key = self.key()
                switch Int.random(in: 0..<6, using: &self.generator) {
                case 0: return .init(key, .absent)
                case 1: return .init(key, .present)
                case 2: return .init(key, .value(self.load.recorder.seen(key)?.value ?? "none"))
                default: return .init(key, self.revision(key) ?? .absent)
                }
            }
            let steps = (0..<Int.random(in: 1...4, using: &self.generator)).map { _ -> HistoryOperation.Step in
                let key = self.key()
                switch Int.random(in: 0..<5, using: &self.generator) {
                case 0: return .get(key)
                case 1: return .delete(key)
                default: return .set(key, value)
                }
            }
            self.perform(.txn, checks, steps)
        }

        /// Sends an operation until its outcome is known, or nothing more can be learned of it. One that was not carried
        /// out is not in the history.
        mutating func perform(
            _ form: HistoryRequest.Form, _ checks: [HistoryOperation.Check], _ steps: [HistoryOperation.Step]
        ) {
            let recorder = self.load.recorder
            let request = HistoryRequest(
                form: form,
                operation: HistoryOperation(
                    id: recorder.nextID(), client: self.number, checks: checks, steps: steps, start: recorder.now))
            let key = request.isWrite && self.repeatsUnknown ? "history-\(request.operation.id)" : nil
            var firstUnknown: UInt64?
            let deadline = ContinuousClock.now + .seconds(20)
            while true {
                let start = recorder.now
                switch self.attempt(request, key) {
                case .answered(let answer, let isReplay):
                    recorder.count { $0.replays += isReplay ? 1 : 0 }
                    return self.record(request.operation, answer, start, firstUnknown)
                case .fault(let text): return recorder.count { $0.faults.append(text) }
                case .unknown: firstUnknown = firstUnknown ?? start
                case .refused: recorder.count { $0.refused += 1 }
                }
                self.waitUntilReady()
                guard firstUnknown != nil else { return }
                guard key != nil, ContinuousClock.now < deadline else { break }
                recorder.count { $0.repeats += 1 }
            }
            var operation = request.operation
            operation.start = firstUnknown ?? operation.start
            recorder.add(operation)
            self.performed += 1
        }

        private mutating func record(
            _ operation: HistoryOperation, _ answer: HistoryOperation.Answer, _ start: UInt64, _ firstUnknown: UInt64?
        ) {
            let recorder = self.load.recorder
            var operation = operation
            (operation.answer, operation.start, operation.end) = (answer, start, recorder.now)
            // If an attempt before this one was carried out, this answer is that one's.
            if operation.changed { operation.start = firstUnknown ?? start }
            recorder.add(operation)
            self.performed += 1
            if firstUnknown == nil || operation.changed { return }
            // This attempt changed nothing, so none before it did; but one of them may still be on its way.
            recorder.add(
                HistoryOperation(
                    id: recorder.nextID(), client: self.number, checks: operation.checks, steps: operation.steps,
                    start: start, after: operation.id))
        }

        private mutating func attempt(_ request: HistoryRequest, _ key: String?) -> HistoryRequest.Outcome {
            if self.connection == nil { self.connection = try? HTTPConnection(port: self.load.ports[self.front]!) }
            guard let connection = self.connection else { return .refused }
            guard let answer = try? request.send(connection, self.front, idempotencyKey: key) else {
                self.connection = nil
                return request.isWrite ? .unknown : .refused
            }
            if answer["Connection"] == "close" { self.connection = nil }
            return request.outcome(answer)
        }

        /// A client that repeats does so through the other service, which knows its idempotency keys too.
        private mutating func waitUntilReady() {
            if self.repeatsUnknown {
                self.front = self.front == .kvService ? .apiGateway : .kvService
                self.connection = nil
            }
            do {
                _ = try Poll.until("client \(self.number) finds the \(self.front) ready", seconds: 60) {
                    if self.load.recorder.isOver { return true }
                    let answer = try? HTTPConnection(port: self.load.ports[self.front]!).request("GET", "/readyz")
                    return answer?.status == 200 ? true : nil
                }
            } catch { self.load.recorder.count { $0.faults.append("\(error)") } }
        }
    }
}
