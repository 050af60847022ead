import HTTP1
import NIOCore
import NIOEmbedded
import NIOHTTP1
import SystemSupport
import TestSupport
import Testing

@testable import HTTPServing

/// Writes that a client sends before earlier ones are answered.
@Suite(.timeLimit(.minutes(1)))
struct PipelinedWriteTests {
    private typealias Pipe = WritePipeline

    @Test func `writes begin at once, and are answered in their order whatever the order of the answers`() throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1") + Pipe.write("2", body: "two") + Pipe.write("3"))
        #expect(pipe.calls.called == ["1", "2", "3"])
        #expect(pipe.observer.inFlight == 3)
        pipe.answer(2)
        pipe.answer(1)
        #expect(try pipe.writes().isEmpty && pipe.observer.told.isEmpty)
        pipe.answer()
        let writes = try pipe.writes()
        #expect(writes.count == 1 && Pipe.ids(writes[0]) == ["1", "2", "3"])
        let bodies = writes[0].split(separator: "HTTP/1.1 200 OK").map {
            $0.hasSuffix("wrote \(Pipe.ids(String($0))[0])")
        }
        #expect(bodies == [true, true, true])
        #expect(pipe.observer.told == ["POST 200 1", "POST 200 2", "POST 200 3"])
        #expect(pipe.observer.inFlight == 0)
        try pipe.send(Pipe.get("4"))
        #expect(try pipe.answeredIDs() == ["4"])
    }

    @Test func `the answers of one turn are one write, those of several are sent as they come`() throws {
        let pipe = try Pipe()
        try pipe.send((0..<4).map { Pipe.write("\($0)") }.joined())
        pipe.answer()
        pipe.answer()
        #expect(try pipe.writes().map(Pipe.ids) == [["0", "1"]])
        pipe.answer()
        #expect(try pipe.writes().map(Pipe.ids) == [["2"]])
        pipe.answer()
        #expect(try pipe.writes().map(Pipe.ids) == [["3"]])
    }

    @Test(arguments: [
        Pipe.get("2"), Pipe.write("2", path: "/unordered"), Pipe.write("2", "Expect: 100-continue\r\n", body: "x"),
    ])
    func `any other request waits for the answers before it, and holds up what follows`(second: String) throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("0") + Pipe.write("1") + second + Pipe.write("3"))
        #expect(pipe.calls.called == ["0", "1"])
        pipe.answer(1)
        #expect(try pipe.writes().isEmpty && pipe.calls.called.count == 2)
        pipe.answer()
        #expect(pipe.calls.called.prefix(3) == ["0", "1", "2"])
        while !pipe.calls.writes.isEmpty { pipe.answer() }
        #expect(try pipe.answeredIDs() == ["0", "1", "2", "3"])
    }

    @Test func `a request without a route, a bad method and OPTIONS have their place too`() throws {
        let pipe = try Pipe()
        let others = [
            "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", "DELETE /write HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS /write HTTP/1.1\r\nHost: a\r\n\r\n",
        ]
        try pipe.send(others.map { Pipe.write("w") + $0 }.joined())
        for status in [404, 405, 204] {
            #expect(try pipe.writes().isEmpty && pipe.calls.writes.count == 1)
            pipe.answer()
            #expect(try pipe.writes().joined().statuses == [200, status])
        }
    }

    @Test func `the permission to send a body comes after the answers before it`() throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1"))
        try pipe.send(
            "POST /write HTTP/1.1\r\nHost: a\r\nX-Request-Id: 2\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        #expect(try pipe.writes().isEmpty)
        pipe.answer()
        #expect(try pipe.writes().joined().statuses == [200, 100])
        try pipe.send("x")
        #expect(pipe.calls.called == ["1", "2"])
        try pipe.send(Pipe.write("3"))
        #expect(pipe.calls.called == ["1", "2", "3"], "it has the permission, so others may follow it")
    }

    @Test func `no more than 64 requests are without an answer`() throws {
        let pipe = try Pipe()
        try pipe.send((0..<70).map { Pipe.write("\($0)") }.joined())
        #expect(pipe.calls.writes.count == 64)
        pipe.answer()
        #expect(try pipe.answeredIDs() == ["0"])
        #expect(pipe.calls.writes.count == 64)
        while !pipe.calls.writes.isEmpty {
            pipe.answer(pipe.calls.writes.count - 1)
            pipe.channel.embeddedEventLoop.run()
        }
        #expect(try pipe.answeredIDs() == (1..<70).map(String.init))
    }

    @Test func `the bodies of unanswered requests are limited`() throws {
        let pipe = try Pipe()
        let body = String(repeating: "x", count: 40_000)
        for id in ["1", "2", "3", "4"] { try pipe.send(Pipe.write(id, body: body)) }
        #expect(pipe.calls.called == ["1", "2", "3"], "with the third, more than 64 KiB are unanswered before it")
        pipe.answer()
        #expect(try pipe.answeredIDs() == ["1"])
        #expect(pipe.calls.called.count == 4)
    }

    @Test func `answers that wait for their turn are limited`() throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1") + Pipe.write("2"))
        pipe.calls.writes.removeLast().respond(.json(.ok, [UInt8](repeating: 120, count: 70_000)))
        try pipe.send(Pipe.write("3"))
        #expect(pipe.calls.called == ["1", "2"])
        pipe.answer()
        #expect(pipe.calls.called == ["1", "2", "3"])
        #expect(try pipe.answeredIDs() == ["1", "2"])
    }

    @Test func `a peer that takes no answers gets no further writes carried out`() throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1"))
        pipe.channel.isWritable = false
        pipe.channel.pipeline.fireChannelWritabilityChanged()
        try pipe.send(Pipe.write("2") + Pipe.get("3"))
        #expect(pipe.calls.called == ["1"])
        pipe.channel.isWritable = true
        pipe.channel.pipeline.fireChannelWritabilityChanged()
        #expect(pipe.calls.called == ["1", "2"])
        pipe.channel.isWritable = false
        pipe.channel.pipeline.fireChannelWritabilityChanged()
        pipe.answer()
        pipe.answer()
        #expect(pipe.calls.called == ["1", "2"], "the get waits for room")
        pipe.channel.isWritable = true
        pipe.channel.pipeline.fireChannelWritabilityChanged()
        #expect(try pipe.answeredIDs() == ["1", "2", "3"])
    }

    @Test func `an action's own refusal has its place`() throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1") + Pipe.write("2", path: "/write?") + Pipe.write("3"))
        #expect(pipe.calls.called == ["1", "2", "3"])
        pipe.answer(1)
        pipe.answer()
        #expect(try pipe.writes().joined().statuses == [200, 400, 200])
        #expect(pipe.observer.told == ["POST 200 1", "POST 400 2", "POST 200 3"])
    }

    @Test(arguments: [
        ("POST /write HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", [200, 200, 200]),
        ("POST /write HTTP/1.0\r\n\r\n", [200, 200, 200]),
        ("GET /get HTTP/1.0\r\n\r\n", [200, 200, 200]),
        ("broken\r\n\r\n", [200, 200, 400]),
        ("POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n", [200, 200, 413]),
        ("POST /write HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", [200, 200, 400]),
    ])
    func `a request that ends the connection is the last one, after the answers before it`(
        last: String, statuses: [Int]
    ) throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1") + Pipe.write("2") + last + Pipe.write("never"))
        #expect(pipe.calls.called.count <= 3)
        #expect(try pipe.writes().isEmpty)
        while !pipe.calls.writes.isEmpty { pipe.answer() }
        let answers = try pipe.writes().joined()
        #expect(answers.statuses == statuses)
        #expect(answers.occurrences(of: "Connection: close\r\n") == 1)
        #expect(Pipe.ids(answers).prefix(2) == ["1", "2"])
        #expect(pipe.observer.told.count == 3 && pipe.observer.inFlight == 0)
        #expect(!pipe.calls.called.contains("never"))
    }
}
