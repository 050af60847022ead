import Testing

@testable import JSONLogging

/// A descriptor whose calls come out as a test has written down; after that it takes everything.
private final class ScriptedDescriptor {
    var outcomes: [DescriptorSink.Outcome]
    var taken: [UInt8] = []
    var waits = 0

    init(_ outcomes: [DescriptorSink.Outcome]) {
        self.outcomes = outcomes
    }

    func attempt(_ bytes: ArraySlice<UInt8>) -> DescriptorSink.Outcome {
        let outcome = self.outcomes.isEmpty ? .took(bytes.count) : self.outcomes.removeFirst()
        if case .took(let count) = outcome { self.taken += bytes.prefix(count) }
        return outcome
    }

    var sink: DescriptorSink {
        DescriptorSink(attempt: self.attempt) {
            self.waits += 1
            return true
        }
    }

    var text: String { String(decoding: self.taken, as: UTF8.self) }
}

@Suite("A batch of lines", .timeLimit(.minutes(1)))
struct DescriptorSinkTests {
    private let batch = Array("one\ntwo\nthree\n".utf8)

    @Test func `goes on where short and interrupted writes stopped`() {
        let descriptor = ScriptedDescriptor([
            .took(1), .interrupted, .took(5), .interrupted, .interrupted, .took(2),
        ])
        var sink = descriptor.sink
        #expect(sink.write(self.batch, lines: 3) == DescriptorSink.Result(linesWritten: 3, linesDropped: 0))
        #expect(descriptor.text == "one\ntwo\nthree\n")
        #expect(descriptor.waits == 0)
    }

    @Test func `waits when the descriptor would block`() {
        let descriptor = ScriptedDescriptor([.wouldBlock, .took(4), .wouldBlock, .wouldBlock])
        var sink = descriptor.sink
        #expect(sink.write(self.batch, lines: 3) == DescriptorSink.Result(linesWritten: 3, linesDropped: 0))
        #expect(descriptor.text == "one\ntwo\nthree\n")
        #expect(descriptor.waits == 3)
    }

    @Test func `is given up when the descriptor can no longer be waited for`() {
        let descriptor = ScriptedDescriptor([.took(4), .wouldBlock])
        var sink = DescriptorSink(attempt: descriptor.attempt, waitUntilWritable: { false })
        #expect(sink.write(self.batch, lines: 3) == DescriptorSink.Result(linesWritten: 1, linesDropped: 2))
    }

    @Test(arguments: 0...13)
    func `that fails part way counts whole lines only and leaves the next batch intact`(_ taken: Int) {
        let descriptor = ScriptedDescriptor([.took(taken), .failed].suffix(taken == 0 ? 1 : 2))
        var sink = descriptor.sink
        let whole = taken < 4 ? 0 : taken < 8 ? 1 : 2
        #expect(
            sink.write(self.batch, lines: 3) == DescriptorSink.Result(linesWritten: whole, linesDropped: 3 - whole)
        )

        #expect(
            sink.write(Array("next\n".utf8), lines: 1) == DescriptorSink.Result(linesWritten: 1, linesDropped: 0)
        )
        let torn = taken != 0 && taken != 4 && taken != 8
        #expect(
            descriptor.text == String(decoding: self.batch[..<taken], as: UTF8.self) + (torn ? "\n" : "")
                + "next\n"
        )
    }

    @Test func `after a torn line is dropped whole while the descriptor still fails`() {
        let descriptor = ScriptedDescriptor([.took(2), .failed, .failed])
        var sink = descriptor.sink
        #expect(sink.write(self.batch, lines: 3) == DescriptorSink.Result(linesWritten: 0, linesDropped: 3))
        #expect(sink.write(self.batch, lines: 3) == DescriptorSink.Result(linesWritten: 0, linesDropped: 3))
        #expect(sink.write(self.batch, lines: 3) == DescriptorSink.Result(linesWritten: 3, linesDropped: 0))
        #expect(descriptor.text == "on\none\ntwo\nthree\n")
    }

    @Test func `that ends well after a torn line does not add newlines for ever`() {
        let descriptor = ScriptedDescriptor([.took(2), .failed])
        var sink = descriptor.sink
        for _ in 0..<3 { _ = sink.write(Array("a.\n".utf8), lines: 1) }
        #expect(descriptor.text == "a.\na.\na.\n")
    }
}
