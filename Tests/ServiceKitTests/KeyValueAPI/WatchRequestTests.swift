import HTTP1
import NIOCore
import TestSupport
import Testing

@testable import KeyValueHTTP

@Suite(.timeLimit(.minutes(1)))
struct WatchRequestTests {
    private func code(_ query: String, _ ids: [String] = []) -> String? {
        do throws(Problem) { _ = try WatchRequest(query: query, lastEventIDs: ids) } catch { return error.code }
        return nil
    }

    @Test func `without parameters it streams all changes from now on`() throws {
        let request = try WatchRequest(query: nil, lastEventIDs: [])
        #expect(request.selection == .init(bytes: [], isPrefix: true, withPrevious: false))
        #expect(request.since == nil && request.mode == .stream)
    }

    @Test func `the id of the last event wins over since`() throws {
        #expect(try WatchRequest(query: "since=5", lastEventIDs: []).since == 5)
        #expect(try WatchRequest(query: "since=5", lastEventIDs: ["18446744073709551615"]).since == .max)
        #expect(try WatchRequest(query: "since=5", lastEventIDs: [""]).since == 5)
        for text in ["", "x", "-1", "+1", "1.0", "18446744073709551616", "123456789012345678901"] {
            #expect(self.code("since=\(text)") == "bad_revision", "\(text)")
            #expect(self.code("since=\(text)", ["1"]) == "bad_revision", "\(text)")
            if !text.isEmpty { #expect(self.code("", [text]) == "bad_revision", "\(text)") }
        }
        #expect(self.code("", ["1", "2"]) == "bad_revision")
    }

    @Test func `what cannot be meant is refused`() {
        for query in [
            "key=a&prefix=b", "key=", "mode=both", "mode=", "previous=1", "wait_ms=5", "limit=5",
            "mode=poll&wait_ms=60001", "mode=poll&wait_ms=-1", "mode=poll&limit=0", "mode=poll&limit=1001",
            "mode=poll&limit=1000000",
        ] { #expect(self.code(query) == "bad_query", "\(query)") }
        #expect(self.code("prefx=a") == "unknown_parameter")
        #expect(self.code("mode=poll&wait_ms=0&limit=1000&previous=false&key=%00") == nil)
    }

    @Test func `its query means the same request`() throws {
        var generator = SeededGenerator()
        for _ in 0..<500 {
            var query = generator.chance(0.5) ? "prefix=" : "key=a"
            query += KeyValueClient.encoded(generator.bytes(Int.random(in: 0...20, using: &generator)))
            if generator.chance(0.5) { query += "&previous=\(generator.chance(0.5))" }
            if generator.chance(0.5) { query += "&since=\(UInt64.random(in: 0 ... .max, using: &generator))" }
            if generator.chance(0.5) { query += "&mode=poll&wait_ms=\(Int.random(in: 0...60_000, using: &generator))" }
            let ids = generator.chance(0.3) ? ["\(UInt64.random(in: 0...99, using: &generator))"] : []
            let request = try WatchRequest(query: query, lastEventIDs: ids)
            var written = ByteBuffer()
            request.writeQuery(to: &written)
            #expect(try WatchRequest(query: String(buffer: written), lastEventIDs: []) == request, "\(query)")
        }
    }
}
