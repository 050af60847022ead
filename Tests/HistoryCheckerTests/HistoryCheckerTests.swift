import HistoryChecker
import Testing

/// Histories that are known to be right or wrong, with revisions and by their values alone.
@Suite("Histories that are known to be right or wrong", .timeLimit(.minutes(1)))
struct HistoryCheckerTests {
    @Test(arguments: [true, false])
    func `a read returns the last value, or that of a write at the same time`(hasRevisions: Bool) {
        for (value, revision) in [("a", UInt64(1)), ("b", 2)] {
            var during = Script(hasRevisions: hasRevisions)
            during.set(0, "a", 0...10, 1)
            during.set(0, "b", 20...40, 2)
            during.get(0, value, 25...35, revision)
            during.get(0, "b", 41...45, 2)
            #expect(during.isRight)
            var behind = Script(hasRevisions: hasRevisions)
            behind.set(0, "a", 0...10, 1)
            behind.set(0, "b", 20...40, 2)
            behind.get(0, value, 41...45, revision)
            #expect(behind.isRight == (value == "b"))
            #expect(behind.isWrong == (value == "a"), "a stale read")
        }
    }

    @Test(arguments: [true, false])
    func `what one read has seen, the next one sees too`(hasRevisions: Bool) {
        var script = Script(hasRevisions: hasRevisions)
        script.set(0, "a", 0...10, 1)
        script.set(0, "b", 20...100, 2)
        script.get(0, "b", 30...40, 2)
        script.get(0, "a", 50...60, 1)
        #expect(script.isWrong)
    }

    @Test(arguments: [true, false])
    func `an acknowledged write is not lost`(hasRevisions: Bool) {
        var lost = Script(hasRevisions: hasRevisions)
        lost.set(0, "a", 0...10, 1)
        lost.get(0, nil, 20...30)
        #expect(lost.isWrong)
        var deleted = Script(hasRevisions: hasRevisions)
        deleted.set(0, "a", 0...10, 1)
        deleted.delete(0, existed: true, 11...30, 2)
        deleted.get(0, nil, 20...30)
        deleted.delete(0, existed: false, 31...32)
        #expect(deleted.isRight)
        deleted.get(0, "a", 40...50, 1)
        #expect(deleted.isWrong, "a deleted key came back")
    }

    @Test(arguments: [true, false])
    func `of two increments that read the same number, one is lost`(hasRevisions: Bool) {
        var script = Script(hasRevisions: hasRevisions)
        script.increment(0, by: 1, 1, 0...10, 1)
        script.increment(0, by: 2, 3, 5...20, 2)
        #expect(script.isRight)
        script.increment(0, by: 4, 5, 5...20, 3)
        #expect(script.isWrong, "a lost update")
    }

    @Test(arguments: [true, false])
    func `an increment counts once, also if its answer never came`(hasRevisions: Bool) {
        for (sum, isRight) in [(Int64(1), true), (6, true), (11, false), (5, false)] {
            var script = Script(hasRevisions: hasRevisions)
            script.unknown([.increment(0, 5)], from: 0)
            script.increment(0, by: 1, sum, 20...30, 7)
            #expect(script.isRight == isRight && script.isWrong != isRight, "\(sum)")
        }
        var twice = Script(hasRevisions: hasRevisions)
        twice.increment(0, by: 5, 5, 0...10, 1)
        twice.get(0, "10", 20...30, 2)
        #expect(twice.isWrong)
    }

    @Test(arguments: [true, false])
    func `a condition is met once`(hasRevisions: Bool) {
        let absent = [HistoryOperation.Check(0, .absent)]
        var twice = Script(hasRevisions: hasRevisions)
        twice.set(0, "a", 0...10, 1, checks: absent)
        #expect(twice.isRight)
        twice.set(0, "b", 0...10, 2, checks: absent)
        #expect(twice.isWrong)
        var values = Script(hasRevisions: hasRevisions)
        values.set(0, "a", 0...1, 1)
        values.set(0, "b", 2...10, 2, checks: [.init(0, .value("a"))])
        #expect(values.isRight)
        values.set(0, "c", 2...10, 3, checks: [.init(0, .value("a"))])
        #expect(values.isWrong)
        var revisions = Script()
        revisions.set(0, "a", 0...1, 1)
        revisions.set(0, "b", 2...10, 2, checks: [.init(0, .revision(1))])
        revisions.add(2...10, [.set(0, "c")], .refused([0: 2]), checks: [.init(0, .revision(1))])
        #expect(revisions.isRight)
        revisions.add(11...12, [.set(0, "c")], .refused([0: 1]), checks: [.init(0, .revision(2))])
        #expect(revisions.isWrong, "it was refused for a revision that the key no longer has")
    }

    @Test func `a refusal says what is so`() {
        var script = Script()
        script.set(0, "a", 0...1, 1)
        let checks: [HistoryOperation.Check] = [.init(0, .present), .init(1, .present), .init(0, .absent)]
        script.add(2...3, [.set(1, "x")], .refused([1: nil, 2: 1]), checks: checks)
        script.add(2...3, [.increment(0, 1)], .notANumber)
        #expect(script.isRight)
        for wrong in [[1: nil], [0: 1, 1: nil, 2: 1], [1: 1, 2: 1]] as [[Int: UInt64?]] {
            var script = script
            script.add(4...5, [.set(1, "x")], .refused(wrong), checks: checks)
            #expect(script.isWrong, "\(wrong)")
        }
        script.add(4...5, [.increment(1, 1)], .notANumber)
        #expect(script.isWrong)
    }

    @Test(arguments: [true, false])
    func `no part of a transaction is seen`(hasRevisions: Bool) {
        var script = Script(hasRevisions: hasRevisions)
        script.set(0, "a", 0...1, 1)
        script.add(
            2...10, [.set(0, "x"), .set(1, "y"), .get(0)],
            .done([.set, .set, .value(.init("x", hasRevisions ? 2 : nil))], revision: hasRevisions ? 2 : nil))
        var before = script
        before.getAll([("a", 1), nil], 3...9, of: 1)
        #expect(before.isRight)
        before.getAll([("x", 2), ("y", 2)], 3...9, of: 2)
        #expect(before.isRight)
        for parts in [[("x", UInt64(2)), nil], [("a", 1), ("y", 2)]] as [[(String, UInt64)?]] {
            var script = script
            script.getAll(parts, 3...9, of: 2)
            #expect(script.isWrong, "\(parts)")
        }
        var gets = script
        gets.get(1, "y", 3...4, 2)
        gets.get(0, "a", 5...6, 1)
        #expect(gets.isWrong, "two gets one after the other see parts of it")
    }

    @Test(arguments: [true, false])
    func `an unknown write takes effect at any time, or never, but not twice and not before it was sent`(
        hasRevisions: Bool
    ) {
        var script = Script(hasRevisions: hasRevisions)
        script.set(0, "a", 0...1, 1)
        script.unknown([.set(0, "u")], from: 5)
        script.set(0, "b", 10...20, 2)
        var never = script
        never.get(0, "b", 30...40, 2)
        #expect(never.isRight)
        var late = never
        late.get(0, "u", 50...60, 9)
        #expect(late.isRight)
        late.get(0, "b", 70...80, 2)
        #expect(late.isWrong, "what was overwritten came back")
        var early = Script(hasRevisions: hasRevisions)
        early.get(0, "u", 1...4, 1)
        early.unknown([.set(0, "u")], from: 5)
        #expect(early.isWrong)
        var conditional = Script(hasRevisions: hasRevisions)
        conditional.set(0, "a", 0...1, 1)
        conditional.unknown([.set(0, "u")], from: 5, checks: [.init(0, .absent)])
        conditional.get(0, "u", 10...20, 2)
        #expect(conditional.isWrong, "its condition was not met")
    }

    @Test func `an attempt that may come late takes effect only behind the one that was refused`() {
        for time in [UInt64(3), 9] {
            var script = Script()
            script.add(5...6, [.set(0, "x")], .refused([0: nil]), checks: [.init(0, .present)])
            script.unknown([.set(0, "x")], from: 1, after: 0)
            script.get(0, "x", time...(time + 1), 4)
            #expect(script.isRight == (time == 9))
        }
    }

    @Test func `revisions grow with the order, belong to one change each, and are those of their values`() {
        var equal = Script()
        equal.set(0, "a", 0...10, 1)
        equal.set(5, "b", 0...10, 1)
        #expect(equal.isWrong)
        var falling = Script()
        falling.set(0, "a", 0...10, 7)
        falling.set(5, "b", 11...20, 6)
        #expect(falling.isWrong, "of keys that have nothing to do with each other")
        var foreign = Script()
        foreign.set(0, "a", 0...10, 7)
        foreign.get(0, "a", 11...20, 8)
        #expect(foreign.isWrong)
        var state = Script()
        state.set(0, "a", 0...30, 7)
        state.getAll([nil], 5...6, of: 7)
        #expect(state.isWrong, "a state of revision 7 has the change 7")
        var concurrent = Script()
        concurrent.set(0, "a", 0...30, 8)
        concurrent.set(0, "b", 0...30, 7)
        concurrent.get(0, "a", 31...32, 8)
        #expect(concurrent.isRight)
        concurrent.set(1, "c", 31...32, 9)
        concurrent.get(0, "b", 31...32, 7)
        #expect(concurrent.isWrong, "7 is before 8")
    }

    @Test func `an unknown change needs a revision that no other change has`() {
        for revision in [UInt64(2), 3] {
            var script = Script()
            script.set(0, "1", 0...1, 1)
            script.unknown([.increment(0, 5)], from: 2)
            script.increment(0, by: 1, 7, 3...10, revision)
            #expect(script.isRight == (revision == 3))
        }
        var both = Script()
        both.unknown([.increment(0, 5), .increment(1, 5)], from: 0)
        both.unknown([.increment(1, 1)], from: 0)
        both.get(0, "5", 10...11, 3)
        both.get(1, "6", 12...13, 4)
        #expect(both.isRight)
        both.get(1, "6", 14...15, 5)
        #expect(both.isWrong, "a value has one revision")
        var parts = Script()
        parts.unknown([.increment(0, 5), .increment(1, 5)], from: 0)
        parts.get(0, "5", 10...11, 3)
        parts.get(1, "5", 12...13, 4)
        #expect(parts.isWrong, "a transaction has one revision")
    }

    @Test func `the message has the shortest part that is impossible`() {
        var script = Script()
        for number in 0..<50 {
            let time = UInt64(number * 10)
            script.set(0, "v\(number)", time...(time + 1), UInt64(number + 1))
            script.get(
                0, number == 25 ? "v1" : "v\(number)", (time + 2)...(time + 3), number == 25 ? 2 : UInt64(number + 1))
        }
        guard case .impossible(let message) = script.verdict else {
            Issue.record("the stale read was not found")
            return
        }
        #expect(message.contains("v1") && message.contains("v25") && !message.contains("v26"))
    }
}
