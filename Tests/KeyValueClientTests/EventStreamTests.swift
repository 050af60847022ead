import TestSupport
import Testing

@testable import KeyValueClient

@Suite("Event streams", .timeLimit(.minutes(1)))
struct EventStreamTests {
    private static func items(_ text: String) throws -> [EventStream.Item] {
        var stream = EventStream()
        return try stream.receive(text.utf8)
    }

    private static func data(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func `events, comments and the retry time are read as the standard says`() throws {
        let text =
            ": watching from revision 5\nretry: 1000\nid: 7\nevent: change\ndata: {\ndata:}\n\ndata\n\nother: x\n\n"
        #expect(
            try Self.items(text) == [
                .comment("watching from revision 5"), .retry(1_000),
                .event(id: "7", name: "change", data: Self.data("{\n}")), .event(id: nil, name: "message", data: []),
            ])
    }

    @Test func `all three ends of a line are one end`() throws {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["event: a", "data: b", "", "data:  c", "", ""].joined(separator: end)
            #expect(
                try Self.items(text) == [
                    .event(id: nil, name: "a", data: Self.data("b")),
                    .event(id: nil, name: "message", data: Self.data(" c")),
                ])
        }
    }

    @Test func `an event that is not complete does not count`() throws {
        #expect(try Self.items("data: a\n") == [])
        #expect(try Self.items("id: 5\n\n") == [])
        #expect(try Self.items("retry: x\n") == [])
    }

    @Test func `pieces of any size give the same events`() throws {
        var generator = SeededGenerator(printingFor: #function)
        for _ in 0..<200 {
            var text: [UInt8] = []
            for _ in 0..<Int.random(in: 0...8, using: &generator) {
                let line = [
                    ": c", "retry: 5", "id: 1", "event: change", "data: x", "data:", "", "", "junk", "data: \u{1F600}",
                ].randomElement(using: &generator)!
                text += Array((line + ["\n", "\r\n", "\r"].randomElement(using: &generator)!).utf8)
            }
            var whole = EventStream()
            let expected = try whole.receive(text)
            var pieces = EventStream()
            var items: [EventStream.Item] = []
            var rest = text[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...rest.count, using: &generator)
                items += try pieces.receive(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            #expect(items == expected, "\(String(decoding: text, as: UTF8.self).debugDescription)")
        }
    }
}
