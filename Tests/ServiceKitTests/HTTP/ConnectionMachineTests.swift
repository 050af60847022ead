import Testing

@testable import HTTPServing

/// The life of a connection, without a connection: times are numbers.
@Suite(.timeLimit(.minutes(1)))
struct ConnectionMachineTests {
    static let timeouts = ConnectionMachine.Timeouts(idle: 1_000, head: 100, body: 200, linger: 50, drain: 20)

    /// A machine whose request is being processed by its action, at time 10.
    static func answering(keepsAlive: Bool = true) -> ConnectionMachine {
        var machine = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        machine.requestBegan(now: 10)
        machine.headCompleted(keepsAlive: keepsAlive, now: 10)
        machine.requestCompleted()
        return machine
    }

    @Test func `a request goes through its phases and the next one can follow`() {
        var machine = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        #expect(machine.phase == .idle)
        machine.requestBegan(now: 10)
        #expect(machine.phase == .head)
        machine.headCompleted(keepsAlive: true, now: 20)
        #expect(machine.phase == .body)
        machine.requestCompleted()
        #expect(machine.phase == .answering)
        #expect(!machine.nextAnswerCloses(anotherWaits: false))
        let outcome1 = machine.answered(closes: false, now: 30)
        #expect(outcome1 == .nextRequest)
        #expect(machine.phase == .idle)
        #expect(machine.deadline == 1_030)
    }

    @Test func `the end of input asks for nothing while a request is answered, nor after the close`() {
        var machine = Self.answering()
        let whileAnswering = machine.inputDidEnd()
        machine.closed()
        let afterClose = machine.inputDidEnd()
        var idle = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        let whileIdle = idle.inputDidEnd()
        #expect([whileAnswering, afterClose, whileIdle] == [false, false, true])
    }

    @Test func `bytes that drip don't move the deadline of a head`() {
        var machine = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        machine.requestBegan(now: 10)
        for now in UInt64(11)..<110 {
            machine.requestBegan(now: now)
            #expect(machine.expiry(now: now) == nil)
        }
        #expect(machine.expiry(now: 110) == .refuseHead)
    }

    @Test func `a body's deadline counts from the end of its head`() {
        var machine = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        machine.requestBegan(now: 10)
        machine.headCompleted(keepsAlive: true, now: 100)
        #expect(machine.expiry(now: 299) == nil)
        #expect(machine.expiry(now: 300) == .refuseBody)
    }

    @Test func `an action has all the time it wants`() {
        #expect(Self.answering().expiry(now: .max - 1) == nil)
    }

    @Test func `an idle connection is closed at its time, which each answer begins anew`() {
        var machine = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        #expect(machine.expiry(now: 999) == nil)
        #expect(machine.expiry(now: 1_000) == .close)
        machine = Self.answering()
        _ = machine.answered(closes: false, now: 500)
        #expect(machine.expiry(now: 1_499) == nil)
        #expect(machine.expiry(now: 1_500) == .close)
    }

    @Test func `a client that wants to close is answered so, and the connection lingers`() {
        var machine = Self.answering(keepsAlive: false)
        #expect(machine.nextAnswerCloses(anotherWaits: false))
        let outcome2 = machine.answered(closes: true, now: 30)
        #expect(outcome2 == .linger)
        #expect(machine.phase == .lingering)
        #expect(machine.expiry(now: 79) == nil)
        #expect(machine.expiry(now: 80) == .close)
        machine.answersUnderWay(now: 80)
        #expect(machine.expiry(now: 129) == nil)
    }

    @Test func `the wish to close ends with its connection, not with a kept one`() {
        var machine = Self.answering()
        _ = machine.answered(closes: false, now: 20)
        machine.requestBegan(now: 30)
        machine.headCompleted(keepsAlive: true, now: 30)
        machine.requestCompleted()
        #expect(!machine.nextAnswerCloses(anotherWaits: false))
    }

    @Test(arguments: [ConnectionMachine.Phase.head, .body])
    func `an answer before the end of its request ends the connection, whatever it says`(phase: ConnectionMachine.Phase)
    {
        var machine = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        machine.requestBegan(now: 1)
        if phase == .body { machine.headCompleted(keepsAlive: true, now: 2) }
        let outcome3 = machine.answered(closes: false, now: 3)
        #expect(outcome3 == .linger)
    }

    @Test func `the end of input closes at once unless a whole request is being answered`() {
        var idle = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        let outcome4 = idle.inputDidEnd()
        #expect(outcome4)
        var head = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        head.requestBegan(now: 1)
        let outcome5 = head.inputDidEnd()
        #expect(outcome5)
        var body = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        body.requestBegan(now: 1)
        body.headCompleted(keepsAlive: true, now: 1)
        let outcome6 = body.inputDidEnd()
        #expect(outcome6)
        var answering = Self.answering()
        let outcome7 = answering.inputDidEnd()
        #expect(!outcome7)
        #expect(answering.nextAnswerCloses(anotherWaits: false))
        let outcome8 = answering.answered(closes: true, now: 20)
        #expect(outcome8 == .close)
    }

    @Test func `a drain closes what has no request, and lets the rest finish`() {
        var idle = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        idle.drainBegan(now: 5)
        #expect(idle.expiry(now: 24) == nil)
        #expect(idle.expiry(now: 25) == .close)
        var answering = Self.answering()
        answering.drainBegan(now: 15)
        #expect(answering.expiry(now: .max - 1) == nil)
        #expect(answering.nextAnswerCloses(anotherWaits: false))
        let outcome = answering.answered(closes: true, now: 20)
        #expect(outcome == .linger)
    }

    @Test func `a part of a head has until the end of the drain's grace, begun before it or after`() {
        var before = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        before.requestBegan(now: 10)
        before.drainBegan(now: 12)
        #expect(before.expiry(now: 31) == nil)
        #expect(before.expiry(now: 32) == .close)
        var after = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        after.drainBegan(now: 12)
        after.requestBegan(now: 20)
        #expect(after.expiry(now: 39) == nil)
        #expect(after.expiry(now: 40) == .close)
        var late = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        late.requestBegan(now: 10)
        late.drainBegan(now: 105)
        #expect(late.expiry(now: 110) == .close)
    }

    @Test func `a drain keeps the connection for a request that waits, and for answers under way`() {
        var machine = Self.answering()
        machine.drainBegan(now: 15)
        #expect(!machine.nextAnswerCloses(anotherWaits: true))
        let outcome = machine.answered(closes: false, now: 20)
        #expect(outcome == .nextRequest)
        machine.answersUnderWay(now: 30)
        #expect(machine.expiry(now: 1_029) == nil)
        machine.lingerBegan(now: 40)
        #expect(machine.phase == .lingering)
        machine.answersUnderWay(now: 60)
        #expect(machine.expiry(now: 109) == nil)
        #expect(machine.expiry(now: 110) == .close)
        // A client that wants to close does, even if requests wait.
        #expect(Self.answering(keepsAlive: false).nextAnswerCloses(anotherWaits: true))
    }

    @Test func `answers under way don't lengthen the time of a request`() {
        var head = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        head.requestBegan(now: 10)
        head.answersUnderWay(now: 100)
        #expect(head.expiry(now: 110) == .refuseHead)
        head.closed()
        head.lingerBegan(now: 120)
        #expect(head.phase == .closed)
    }

    @Test func `nothing happens to a closed connection`() {
        var machine = Self.answering()
        machine.closed()
        #expect(machine.expiry(now: .max) == nil)
        let outcome12 = machine.answered(closes: false, now: 20)
        #expect(outcome12 == .close)
        #expect(machine.phase == .closed)
        machine.requestBegan(now: 30)
        #expect(machine.phase == .closed)
    }

    @Test func `a peer that takes nothing is stalled after the time-out, one that takes a byte is not`() {
        var progress = WriteProgress(timeout: 100)
        let outcome13 = progress.isStalled(written: 1_000, unsent: 500, now: 1_000)
        #expect(!outcome13)
        let outcome14 = progress.isStalled(written: 1_000, unsent: 500, now: 1_099)
        #expect(!outcome14)
        let outcome15 = progress.isStalled(written: 1_000, unsent: 499, now: 1_100)
        #expect(!outcome15)
        let outcome16 = progress.isStalled(written: 1_000, unsent: 499, now: 1_199)
        #expect(!outcome16)
        // More was written, but nothing was read.
        let outcome17 = progress.isStalled(written: 3_000, unsent: 2_499, now: 1_200)
        #expect(outcome17)
        let outcome18 = progress.isStalled(written: 3_000, unsent: 0, now: 1_300)
        #expect(!outcome18)
        let outcome19 = progress.isStalled(written: 4_000, unsent: 10, now: 2_000)
        #expect(!outcome19)
    }
}
