import TestSupport
import Testing

@testable import HTTPServing

/// Requests of one connection that follow others before their answers, without a connection: times are numbers.
@Suite(.timeLimit(.minutes(1)))
struct ConnectionOrderTests {
    /// A machine with `earlier` unanswered writes before the one that its action has.
    static func answering(earlier: Int, keepsAlive: Bool = true) -> ConnectionMachine {
        var machine = ConnectionMachineTests.answering()
        for number in 0..<earlier {
            machine.isFollowed()
            machine.requestBegan(now: 10)
            machine.headCompleted(keepsAlive: keepsAlive || number + 1 < earlier, now: 10)
            machine.requestCompleted()
        }
        return machine
    }

    @Test func `a write may be followed up to the limit, and again after an answer`() {
        var machine = Self.answering(earlier: ConnectionMachine.unansweredLimit - 1)
        #expect(machine.earlier == 63 && !machine.mayBeFollowed)
        let outcome = machine.answered(closes: false, now: 20)
        #expect(outcome == .nextRequest)
        #expect(machine.phase == .answering && machine.earlier == 62 && machine.mayBeFollowed)
    }

    @Test func `nothing follows a request after which the connection closes`() {
        #expect(!Self.answering(earlier: 1, keepsAlive: false).mayBeFollowed)
        var ending = Self.answering(earlier: 1)
        ending.endBegan()
        #expect(!ending.mayBeFollowed)
        var ended = Self.answering(earlier: 1)
        let closes = ended.inputDidEnd()
        #expect(!closes && !ended.mayBeFollowed)
    }

    @Test func `a connection with unanswered requests is not idle, and is once they are answered`() {
        var machine = Self.answering(earlier: 1)
        #expect(machine.expiry(now: .max - 1) == nil)
        _ = machine.answered(closes: false, now: 20)
        machine.answersUnderWay(now: 21)
        #expect(machine.expiry(now: .max - 1) == nil)
        _ = machine.answered(closes: false, now: 30)
        #expect(machine.phase == .idle && machine.expiry(now: 1_029) == nil && machine.expiry(now: 1_030) == .close)
    }

    @Test func `head and body have their time limits also behind unanswered requests`() {
        var machine = ConnectionMachineTests.answering()
        machine.isFollowed()
        machine.requestBegan(now: 20)
        #expect(machine.expiry(now: 119) == nil && machine.expiry(now: 120) == .refuseHead)
        machine.headCompleted(keepsAlive: true, now: 30)
        #expect(machine.expiry(now: 229) == nil && machine.expiry(now: 230) == .refuseBody)
        machine.refusedBeforeItsTurn()
        #expect(machine.expiry(now: .max - 1) == nil && !machine.nextAnswerCloses(anotherWaits: false))
        let first = machine.answered(closes: false, now: 240)
        #expect(first == .nextRequest && machine.nextAnswerCloses(anotherWaits: true))
        let second = machine.answered(closes: true, now: 250)
        #expect(second == .linger)
    }

    @Test func `a request that is no write waits for its turn without a time limit`() {
        var machine = Self.answering(earlier: 1)
        machine.isFollowed()
        machine.requestBegan(now: 20)
        machine.headCompleted(keepsAlive: false, now: 20)
        machine.waits()
        #expect(!machine.turnHasCome && !machine.mayBeFollowed && machine.expiry(now: .max - 1) == nil)
        for _ in 0..<2 {
            #expect(!machine.nextAnswerCloses(anotherWaits: false), "the one that waits closes the connection")
            _ = machine.answered(closes: false, now: 30)
        }
        #expect(machine.turnHasCome && machine.expiry(now: .max - 1) == nil)
        let closes = machine.inputDidEnd()
        #expect(!closes, "its answer is due")
        machine.turnCame(now: 40)
        #expect(machine.phase == .body && machine.expiry(now: 239) == nil && machine.expiry(now: 240) == .refuseBody)
    }

    @Test(arguments: [ConnectionMachine.Phase.head, .body])
    func `the end of input within a request leaves the earlier ones, the last of which closes`(
        phase: ConnectionMachine.Phase
    ) {
        var machine = Self.answering(earlier: 1)
        machine.isFollowed()
        machine.requestBegan(now: 20)
        if phase == .body { machine.headCompleted(keepsAlive: true, now: 20) }
        let closes = machine.inputDidEnd()
        #expect(!closes && machine.expiry(now: .max - 1) == nil && !machine.nextAnswerCloses(anotherWaits: false))
        _ = machine.answered(closes: false, now: 30)
        #expect(machine.nextAnswerCloses(anotherWaits: false))
        let outcome = machine.answered(closes: true, now: 40)
        #expect(outcome == .close)
    }

    @Test func `a drain closes after the last request that was read, and drops a part of a head`() {
        var machine = Self.answering(earlier: 1)
        machine.isFollowed()
        machine.requestBegan(now: 20)
        machine.drainBegan(now: 25)
        #expect(machine.expiry(now: .max - 1) == nil, "the earlier ones take as long as they take")
        #expect(!machine.nextAnswerCloses(anotherWaits: false))
        _ = machine.answered(closes: false, now: 30)
        #expect(machine.nextAnswerCloses(anotherWaits: false) && !machine.nextAnswerCloses(anotherWaits: true))
        let outcome = machine.answered(closes: true, now: 40)
        #expect(outcome == .linger && machine.earlier == 0)
    }

    @Test func `a problem that ends the connection leaves the answers of what was read`() {
        var machine = Self.answering(earlier: 2)
        machine.endBegan()
        for _ in 0..<2 {
            #expect(!machine.nextAnswerCloses(anotherWaits: true))
            _ = machine.answered(closes: false, now: 20)
        }
        #expect(machine.nextAnswerCloses(anotherWaits: true))
    }

    /// What a connection may do next, in any order, and what must be true of it whatever the order.
    @Test func `in any order of events, each request that was read has one answer and the last one closes`() {
        var generator = SeededGenerator(printingFor: "connection orders")
        for _ in 0..<2_000 {
            var model = Model()
            for _ in 0..<200 where !model.isOver { model.step(&generator) }
            model.finish(&generator)
        }
    }

    /// A connection as a list of the requests that were read and have no answer.
    private struct Model {
        enum Newest { case nothing, head, waiting, body, complete }

        var machine = ConnectionMachine(timeouts: ConnectionMachineTests.timeouts, now: 0)
        var newest = Newest.nothing
        /// Complete requests without an answer, before the newest.
        var earlier = 0
        var newestIsWrite = false
        var newestCloses = false
        var isEnding = false
        var isOver = false

        mutating func step(_ generator: inout SeededGenerator) {
            switch Int.random(in: 0..<20, using: &generator) {
            case 0..<10: self.read(&generator)
            case 10..<17: self.answer()
            case 17: self.refuse(&generator)
            case 18 where generator.chance(0.1):
                self.machine.drainBegan(now: 5)
            case 19 where generator.chance(0.1): self.endInput()
            default: break
            }
            self.check()
        }

        /// The next piece of input comes.
        private mutating func read(_ generator: inout SeededGenerator) {
            if self.machine.inputEnded { return }
            switch self.newest {
            case .complete:
                let follows =
                    self.newestIsWrite && !self.newestCloses && !self.isEnding && self.earlier < 63
                #expect((self.newestIsWrite && self.machine.mayBeFollowed) == follows)
                guard follows else { return }
                self.machine.isFollowed()
                self.earlier += 1
                self.newest = .nothing
            case .nothing where !self.isEnding:
                self.machine.requestBegan(now: 1)
                self.newest = .head
            case .head where !self.isEnding:
                self.newestIsWrite = generator.chance(0.8)
                self.newestCloses = generator.chance(0.05)
                self.machine.headCompleted(keepsAlive: !self.newestCloses, now: 1)
                self.newest = .body
                if !self.newestIsWrite, self.earlier > 0 {
                    self.machine.waits()
                    self.newest = .waiting
                }
            case .waiting where self.earlier == 0:
                self.machine.turnCame(now: 1)
                self.newest = .body
            case .body:
                self.machine.requestCompleted()
                self.newest = .complete
            case .nothing, .head, .waiting: break
            }
        }

        /// The oldest request is answered.
        private mutating func answer(closing: Bool = false) {
            let isEarlier = self.earlier > 0
            guard isEarlier || self.newest == .complete || closing else { return }
            let isLast = !isEarlier || self.earlier == 1 && (self.newest == .nothing || self.newest == .head)
            let ends =
                closing || self.machine.isDraining || self.machine.inputEnded || self.isEnding
                || !isEarlier && self.newestCloses
            let closes = closing || self.machine.nextAnswerCloses(anotherWaits: false)
            #expect(closes == (isLast && ends))
            let outcome = self.machine.answered(closes: closes, now: 1)
            if closes {
                self.isOver = true
                #expect(outcome == (self.machine.inputEnded ? .close : .linger))
            } else if isEarlier {
                self.earlier -= 1
            } else {
                self.newest = .nothing
            }
        }

        private mutating func refuse(_ generator: inout SeededGenerator) {
            if self.newest == .complete, self.earlier > 0, generator.chance(0.1) {
                // An action's own problem ends the connection.
                self.machine.endBegan()
                self.isEnding = true
            }
            guard self.newest == .head || self.newest == .body, generator.chance(0.1) else { return }
            if self.earlier == 0 { return self.answer(closing: true) }
            self.machine.refusedBeforeItsTurn()
            self.newest = .complete
            self.newestCloses = true
        }

        private mutating func endInput() {
            let closes = self.machine.inputDidEnd()
            let hasWhole = self.earlier > 0 || self.newest == .complete || self.newest == .waiting
            #expect(closes == !hasWhole)
            if closes { self.isOver = true }
            if self.newest == .head || self.newest == .body { self.newest = .nothing }
        }

        private func check() {
            if self.isOver { return }
            #expect(self.machine.earlier == self.earlier)
            let isTimed = [.head, .body].contains(self.newest) || self.earlier == 0 && self.newest == .nothing
            if !isTimed { #expect(self.machine.expiry(now: .max - 1) == nil) }
        }

        /// All that is due comes.
        mutating func finish(_ generator: inout SeededGenerator) {
            var steps = 0
            while !self.isOver, self.earlier > 0 || self.newest == .complete || self.newest == .waiting {
                if self.newest == .waiting, self.earlier == 0 {
                    self.machine.turnCame(now: 1)
                    self.machine.requestCompleted()
                    self.newest = .complete
                }
                self.answer()
                steps += 1
                #expect(steps < 100, "answers are due that nobody gives")
                if steps >= 100 { return }
            }
        }
    }
}
