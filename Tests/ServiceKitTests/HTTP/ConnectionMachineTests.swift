import Testing

@testable import ServiceKit

/// The life of a connection, without a connection: times are numbers.
@Suite struct ConnectionMachineTests {
    static let timeouts = ConnectionMachine.Timeouts(idle: 1_000, head: 100, body: 200, linger: 50)

    /// A machine whose request is with its action, at time 10.
    static func answering(keepsAlive: Bool = true) -> ConnectionMachine {
        var machine = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        machine.requestBegan(now: 10)
        machine.headCompleted(keepsAlive: keepsAlive, now: 10)
        machine.requestCompleted()
        return machine
    }

    @Test func `a request goes through its phases and the next one can follow`() {
        var machine = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        #expect(machine.phase == .idle && !machine.isBusy)
        machine.requestBegan(now: 10)
        #expect(machine.phase == .head && machine.isBusy)
        machine.headCompleted(keepsAlive: true, now: 20)
        #expect(machine.phase == .body && machine.isBusy)
        machine.requestCompleted()
        #expect(machine.phase == .answering && machine.isBusy)
        #expect(!machine.nextAnswerCloses)
        #expect(machine.answered(closes: false, now: 30) == .nextRequest)
        #expect(machine.phase == .idle && !machine.isBusy)
        #expect(machine.deadline == 1_030)
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
        #expect(machine.nextAnswerCloses)
        #expect(machine.answered(closes: true, now: 30) == .linger)
        #expect(machine.phase == .lingering && !machine.isBusy)
        #expect(machine.expiry(now: 79) == nil)
        #expect(machine.expiry(now: 80) == .close)
        machine.keepLingering(now: 80)
        #expect(machine.expiry(now: 129) == nil)
    }

    @Test func `the wish to close ends with its connection, not with a kept one`() {
        var machine = Self.answering()
        _ = machine.answered(closes: false, now: 20)
        machine.requestBegan(now: 30)
        machine.headCompleted(keepsAlive: true, now: 30)
        machine.requestCompleted()
        #expect(!machine.nextAnswerCloses)
    }

    @Test(arguments: [ConnectionMachine.Phase.head, .body])
    func `an answer before the end of its request ends the connection, whatever it says`(phase: ConnectionMachine.Phase) {
        var machine = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        machine.requestBegan(now: 1)
        if phase == .body { machine.headCompleted(keepsAlive: true, now: 2) }
        #expect(machine.answered(closes: false, now: 3) == .linger)
    }

    @Test func `the end of input closes at once unless a whole request is being answered`() {
        var idle = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        #expect(idle.inputDidEnd())
        var head = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        head.requestBegan(now: 1)
        #expect(head.inputDidEnd())
        var body = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        body.requestBegan(now: 1)
        body.headCompleted(keepsAlive: true, now: 1)
        #expect(body.inputDidEnd())
        var answering = Self.answering()
        #expect(!answering.inputDidEnd())
        #expect(answering.nextAnswerCloses)
        #expect(answering.answered(closes: true, now: 20) == .close)
    }

    @Test func `a drain closes what is idle and lets the rest finish`() {
        var idle = ConnectionMachine(timeouts: Self.timeouts, now: 0)
        #expect(idle.drainBegan())
        var answering = Self.answering()
        #expect(!answering.drainBegan())
        #expect(answering.nextAnswerCloses)
        #expect(answering.answered(closes: true, now: 20) == .linger)
    }

    @Test func `nothing happens to a closed connection`() {
        var machine = Self.answering()
        machine.closed()
        #expect(machine.expiry(now: .max) == nil)
        #expect(machine.answered(closes: false, now: 20) == .close)
        #expect(machine.phase == .closed)
        machine.requestBegan(now: 30)
        #expect(machine.phase == .closed)
    }

    @Test func `a peer that takes nothing is stalled after the time-out, one that takes a byte is not`() {
        var progress = WriteProgress(timeout: 100)
        #expect(!progress.isStalled(written: 1_000, unsent: 500, now: 1_000))
        #expect(!progress.isStalled(written: 1_000, unsent: 500, now: 1_099))
        #expect(!progress.isStalled(written: 1_000, unsent: 499, now: 1_100))
        #expect(!progress.isStalled(written: 1_000, unsent: 499, now: 1_199))
        // More was written, and none of it taken.
        #expect(progress.isStalled(written: 3_000, unsent: 2_499, now: 1_200))
        #expect(!progress.isStalled(written: 3_000, unsent: 0, now: 1_300))
        #expect(!progress.isStalled(written: 4_000, unsent: 10, now: 2_000))
    }
}
