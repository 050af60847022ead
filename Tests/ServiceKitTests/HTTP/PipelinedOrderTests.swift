import HTTP1
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import HTTPServing

/// Random requests in random pieces, answered in a random order, against a list.
@Suite(.timeLimit(.minutes(1)))
struct PipelinedOrderTests {
    private enum Kind: CaseIterable {
        case write, chunked, expecting, refused, unordered, get, missing

        var keepsOrder: Bool { self == .write || self == .chunked || self == .refused }
        /// Whether the test answers it.
        var isHeld: Bool { self != .refused && self != .get && self != .missing }

        func text(_ id: String) -> String {
            switch self {
            case .write: WritePipeline.write(id, body: "value of \(id)")
            case .chunked:
                "POST /write HTTP/1.1\r\nHost: a\r\nX-Request-Id: \(id)\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "2\r\nab\r\n0\r\n\r\n"
            case .expecting: WritePipeline.write(id, "Expect: 100-continue\r\n", body: id)
            case .refused: WritePipeline.write(id, path: "/write?", body: id)
            case .unordered: WritePipeline.write(id, path: "/unordered")
            case .get: WritePipeline.get(id, "User-Agent: \(id)\r\n")
            case .missing: "GET /none HTTP/1.1\r\nHost: a\r\nX-Request-Id: \(id)\r\n\r\n"
            }
        }
    }

    @Test func `requests take effect and are answered in their order, whatever comes when`() throws {
        var generator = SeededGenerator(printingFor: "pipelined order")
        for _ in 0..<150 {
            let pipe = try WritePipeline()
            let writes = Double.random(in: 0...1, using: &generator)
            let kinds = (0..<Int.random(in: 1...90, using: &generator)).map { _ in
                generator.chance(writes) ? Kind.write : Kind.allCases.randomElement(using: &generator) ?? .get
            }
            var rest = ArraySlice(kinds.enumerated().map { $1.text("\($0)") }.joined().utf8)
            var answered: [String] = []
            while answered.count < kinds.count {
                let waiting = pipe.calls.writes.count
                if waiting > 0, rest.isEmpty || generator.chance(0.5) {
                    pipe.answer(Int.random(in: 0..<waiting, using: &generator))
                } else {
                    // Nothing is left to send, and nothing waits: all must be answered.
                    try #require(!rest.isEmpty)
                    let piece = rest.prefix(Int.random(in: 1...300, using: &generator))
                    rest = rest.dropFirst(piece.count)
                    try pipe.channel.writeInbound(ByteBuffer(bytes: piece))
                }
                answered += try pipe.answeredIDs()
                self.check(pipe, kinds, answered)
            }
            #expect(pipe.calls.writes.isEmpty && pipe.observer.inFlight == 0)
            #expect(pipe.observer.told.map { $0.split(separator: " ")[2] } == kinds.indices.map { "\($0)" })
        }
    }

    private func check(_ pipe: WritePipeline, _ kinds: [Kind], _ answered: [String]) {
        #expect(answered == answered.indices.map(String.init))
        let withAction = kinds.indices.filter { kinds[$0] != .missing }
        #expect(pipe.calls.called == withAction.prefix(pipe.calls.called.count).map(String.init))
        #expect(pipe.calls.writes.count <= ConnectionMachine.unansweredLimit)
        // What has begun behind an unanswered request keeps the order, and so do all between them.
        guard let last = pipe.calls.called.last.flatMap({ Int($0) }), last > answered.count else { return }
        #expect(!kinds[answered.count + 1...last].contains { !$0.keepsOrder })
        #expect(kinds[answered.count].isHeld)
    }
}
