import HTTP1
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Synchronization
import SystemSupport
import TestSupport
import Testing

@testable import HTTPServing

/// How a connection ends that has unanswered writes: time limits, half-closed input, drains, lost responders.
@Suite(.timeLimit(.minutes(1)))
struct PipelinedEndTests {
    private typealias Pipe = WritePipeline

    private static func seconds(_ count: UInt64) -> UInt64 { MonotonicClock.nanoseconds() + count * 1_000_000_000 }

    @Test func `unanswered writes keep the connection, head and body behind them have their time limits`() throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1") + Pipe.write("2"))
        pipe.connection.sweep(now: Self.seconds(1_000))
        #expect(try pipe.writes().isEmpty && pipe.channel.isActive)
        try pipe.send("POST /write HT")
        pipe.connection.sweep(now: Self.seconds(9))
        #expect(pipe.observer.inFlight == 3)
        pipe.connection.sweep(now: Self.seconds(11))
        #expect(try pipe.writes().isEmpty, "it is not its turn")
        pipe.answer()
        pipe.answer()
        let answers = try pipe.writes().joined()
        #expect(answers.statuses == [200, 200, 408])
        #expect(answers.occurrences(of: "Connection: close\r\n") == 1)
        #expect(pipe.observer.inFlight == 0)
    }

    @Test func `a body that does not come is refused in its turn`() throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1") + "POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123")
        pipe.connection.sweep(now: Self.seconds(31))
        try pipe.send("456789" + Pipe.write("never"))
        pipe.answer()
        #expect(try pipe.writes().joined().statuses == [200, 408])
        #expect(pipe.calls.called == ["1"])
    }

    @Test(arguments: ["", "POST /wr", "POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123"])
    func `a peer that has closed its half gets all answers`(rest: String) throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1") + Pipe.write("2") + rest)
        pipe.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(pipe.channel.isActive && pipe.observer.inFlight == 2)
        pipe.answer(1)
        #expect(pipe.channel.isActive)
        pipe.answer()
        let answers = try pipe.writes().joined()
        #expect(Pipe.ids(answers) == ["1", "2"])
        #expect(answers.occurrences(of: "Connection: close\r\n") == 1)
        #expect(!pipe.channel.isActive && pipe.observer.inFlight == 0)
    }

    @Test func `a get that waits is answered to a peer that has closed its half`() throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1") + Pipe.get("2") + Pipe.write("3"))
        pipe.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        pipe.answer()
        pipe.answer()
        #expect(try pipe.answeredIDs() == ["1", "2", "3"])
        #expect(!pipe.channel.isActive)
    }

    @Test(arguments: ["", "GET /ge"])
    func `the last answer of a drain closes, and all requests that were read are answered`(rest: String) throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1") + Pipe.write("2") + Pipe.get("3") + Pipe.write("4") + Pipe.write("5") + rest)
        pipe.connection.drain(now: MonotonicClock.nanoseconds())
        pipe.connection.sweep(now: Self.seconds(1))
        #expect(pipe.channel.isActive)
        pipe.answer(1)
        pipe.answer()
        #expect(try pipe.answeredIDs() == ["1", "2", "3"])
        pipe.connection.sweep(now: Self.seconds(1))
        pipe.answer(1)
        pipe.answer()
        let answers = try pipe.writes().joined()
        #expect(Pipe.ids(answers) == ["4", "5"])
        #expect(answers.occurrences(of: "Connection: close\r\n") == 1)
        let last = try #require(answers.split(separator: "HTTP/1.1 ").last)
        #expect(last.contains("Connection: close\r\n"))
        #expect(pipe.observer.inFlight == 0)
    }

    @Test(arguments: [
        ("", 3, [503, 200, 503]), (Pipe.get("waits"), 4, [503, 200, 503, 503]), ("POST /wri", 3, [503, 200, 503]),
        ("POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123", 4, [503, 200, 503, 503]),
    ])
    func `the end of a drain cuts off all that is unanswered, in order`(
        rest: String, requests: Int, statuses: [Int]
    ) throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1") + Pipe.write("2") + Pipe.write("3") + rest)
        pipe.answer(1)
        pipe.connection.drain(now: MonotonicClock.nanoseconds())
        #expect(pipe.connection.cut() == requests - 1, "one had its answer")
        let writes = try pipe.writes()
        #expect(writes.count == 1 && writes[0].statuses == statuses)
        #expect(writes[0].occurrences(of: "Connection: close\r\n") == 1)
        #expect(writes[0].occurrences(of: "\"applied\":\"unknown\"") == 2)
        #expect(pipe.observer.told.count == statuses.count && pipe.observer.inFlight == 0)
        pipe.answer()
        pipe.answer()
        #expect(try pipe.writes().isEmpty && pipe.observer.told.count == statuses.count)
        #expect(pipe.connection.cut() == 0)
    }

    @Test func `a lost responder is found by the sweep and answered in its turn`() throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1") + Pipe.write("2") + Pipe.write("3"))
        pipe.calls.writes.remove(at: 1)
        pipe.connection.sweep(now: MonotonicClock.nanoseconds())
        #expect(try pipe.writes().isEmpty)
        pipe.answer()
        #expect(try pipe.writes().joined().statuses == [200, 500])
        pipe.calls.writes.removeAll()
        pipe.connection.sweep(now: MonotonicClock.nanoseconds())
        let last = try pipe.writes().joined()
        #expect(last.statuses == [500] && last.contains(#""applied":"unknown""#), "a write may have been carried out")
        #expect(pipe.observer.told == ["POST 200 1", "POST 500 2", "POST 500 3"])
    }

    @Test func `all lost responders of a connection are answered by one sweep`() throws {
        let pipe = try Pipe()
        try pipe.send(Pipe.write("1") + Pipe.write("2") + Pipe.write("3"))
        pipe.calls.writes.removeAll()
        pipe.connection.sweep(now: MonotonicClock.nanoseconds())
        let answers = try pipe.writes().joined()
        #expect(answers.statuses == [500, 500, 500] && Pipe.ids(answers) == ["1", "2", "3"])
    }

    @Test func `writes of a connection that has closed are counted and logged when they are answered`() throws {
        let pipe = try Pipe()
        try pipe.send((1...4).map { Pipe.write("\($0)") }.joined() + Pipe.get("never"))
        pipe.answer(2)
        try pipe.channel.close().wait()
        pipe.channel.embeddedEventLoop.run()
        #expect(pipe.observer.told == ["POST 200 3"], "it had its answer")
        #expect(pipe.observer.inFlight == 0)
        pipe.answer(2)
        pipe.answer()
        pipe.answer()
        #expect(pipe.observer.told == ["POST 200 3", "POST 200 4", "POST 200 1", "POST 200 2"])
        #expect(pipe.observer.inFlight == 0 && pipe.calls.called.count == 4)
        #expect(pipe.loop.counters.connections.load(ordering: .relaxed) == 0)
    }

    @Test func `a closed connection with unanswered writes is freed after their answers`() throws {
        let pipe = try Pipe()
        weak var connection: HTTPConnectionHandler?
        do {
            let other = HTTPConnectionHandler(loop: pipe.loop, now: 0)
            connection = other
            let channel = EmbeddedChannel()
            try channel.pipeline.syncOperations.addHandler(other)
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
            try channel.writeInbound(ByteBuffer(string: Pipe.write("1") + Pipe.write("2") + Pipe.write("3")))
            pipe.answer(1)
            try channel.close().wait()
            channel.embeddedEventLoop.run()
        }
        #expect(connection != nil)
        pipe.answer()
        pipe.answer()
        #expect(connection == nil)
    }

    @Test func `a write is answered once`() async {
        await #expect(processExitsWith: .failure) {
            let pipe = try Pipe()
            try pipe.send(Pipe.write("1") + Pipe.write("2"))
            let second = pipe.calls.writes[1]
            second.respond(.json(.ok, []))
            second.respond(.json(.ok, []))
        }
    }

    @Test func `a responder does not answer the request that has its record now`() async {
        await #expect(processExitsWith: .failure) {
            let pipe = try Pipe()
            try pipe.send(Pipe.write("1") + Pipe.write("2"))
            let first = pipe.calls.writes[0]
            pipe.answer()
            try pipe.send(Pipe.write("3"))
            first.respond(.json(.ok, []))
        }
    }
}
