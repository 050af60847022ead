import Foundation
import Glibc
import Health
import JSONLogging
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import PrometheusMetrics
import Synchronization
import SystemSupport
import Telemetry
import Testing

@testable import HTTP1
@testable import HTTPServing

/// The handlers of a connection without a socket: what is written, and when.
@Suite(.timeLimit(.minutes(1)))
struct ConnectionPipelineTests {
    /// A connection on an embedded channel.
    struct Pipeline {
        let channel: EmbeddedChannel
        let loop: HTTPServerLoop
        let connection: HTTPConnectionHandler
        let held: Box

        final class Box {
            var responders: [Responder] = []
        }

        /// - Parameter peer: the address of the client.
        init(limits: HTTPServer.Limits = HTTPServer.Limits(), peer: String = "127.0.0.1") throws {
            let channel = EmbeddedChannel()
            let held = Box()
            let gate = ServiceGate(service: "test")
            gate.set(.ready)
            let metrics = HTTPMetrics(registry: MetricsRegistry(), routes: [("get", [.get])], nowNanoseconds: 0)
            let output = LogOutput(descriptor: open("/dev/null", O_WRONLY))
            self.loop = HTTPServerLoop(
                eventLoop: channel.embeddedEventLoop,
                limits: limits,
                observer: RequestTelemetry(
                    metrics: metrics,
                    slowRequests: SlowRequests(handlers: metrics.handlerNames, nowNanoseconds: 0),
                    accessLog: AccessLog(output: output, service: "test", level: SharedLogLevel(.info))),
                admission: { gate.refusal(isWrite: $0) },
                access: nil,
                routes: [
                    Route(
                        path: "/get",
                        handler: "get",
                        kind: .data(isWrite: false), access: .open,
                        actions: [
                            (
                                .get,
                                { request, responder in
                                    responder.respond(.json(.ok, Array((request.query ?? "").utf8)))
                                }
                            )
                        ]
                    ),
                    Route(
                        path: "/held",
                        handler: "get",
                        kind: .data(isWrite: false), access: .open,
                        actions: [(.get, { _, responder in held.responders.append(responder) })]
                    ),
                    Route(
                        path: "/peer",
                        handler: "get",
                        kind: .admin, access: .open,
                        actions: [
                            (
                                .get,
                                { request, responder in
                                    responder.respond(.json(.ok, Array("loopback \(request.peerIsLoopback)".utf8)))
                                }
                            )
                        ]
                    ),
                ]
            )
            self.connection = HTTPConnectionHandler(loop: self.loop, now: 0)
            self.channel = channel
            self.held = held
            try channel.pipeline.syncOperations.addHandler(self.connection)
            try channel.connect(to: SocketAddress(ipAddress: peer, port: 1)).wait()
        }

        func send(_ text: String) throws {
            try self.channel.writeInbound(ByteBuffer(string: text))
        }

        /// What has been written since the last call, one text for each write.
        func writes() throws -> [String] {
            var writes: [String] = []
            while let buffer = try self.channel.readOutbound(as: ByteBuffer.self) {
                writes.append(String(buffer: buffer))
            }
            return writes
        }

        func request(_ query: Int) -> String { "GET /get?\(query) HTTP/1.1\r\nHost: a\r\n\r\n" }
    }

    @Test func `the answers of one burst are one write`() throws {
        let pipeline = try Pipeline()
        try pipeline.send((0..<100).map(pipeline.request).joined())
        let writes = try pipeline.writes()
        #expect(writes.count == 1)
        #expect(writes[0].statuses.count == 100)
        #expect(writes[0].hasSuffix("\r\n\r\n99"))
    }

    @Test func `answers that grow large are sent before the burst is over`() throws {
        let pipeline = try Pipeline()
        let request = "GET /get?\(String(repeating: "x", count: 1_000)) HTTP/1.1\r\nHost: a\r\n\r\n"
        try pipeline.send(String(repeating: request, count: 200))
        let writes = try pipeline.writes()
        #expect(writes.count > 2)
        #expect(writes.joined().statuses.count == 200)
        #expect(writes.allSatisfy { $0.utf8.count < 70_000 })
    }

    @Test func `requests behind an outstanding answer wait as bytes and go on with it in one write`() throws {
        let pipeline = try Pipeline()
        try pipeline.send(
            pipeline.request(1) + "GET /held HTTP/1.1\r\nHost: a\r\n\r\n" + pipeline.request(2) + pipeline.request(3)
        )
        #expect(try pipeline.writes().map(\.statuses) == [[200]])
        #expect(pipeline.held.responders.count == 1)
        pipeline.held.responders.removeFirst().respond(.json(.created, []))
        let writes = try pipeline.writes()
        #expect(writes.map(\.statuses) == [[201, 200, 200]])
    }

    @Test func `an action that lets go of its responder later is found by the next sweep`() throws {
        let pipeline = try Pipeline()
        try pipeline.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        pipeline.connection.sweep(now: MonotonicClock.nanoseconds())
        #expect(try pipeline.writes().isEmpty, "it is held")
        pipeline.held.responders.removeAll()
        pipeline.connection.sweep(now: MonotonicClock.nanoseconds())
        let answer = try pipeline.writes().joined()
        #expect(answer.statuses == [500])
        #expect(answer.contains("\"code\":\"internal_error\""))
    }

    @Test func `a responder does not answer the next request of its connection`() async {
        await #expect(processExitsWith: .failure) {
            let pipeline = try Pipeline()
            try pipeline.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            let first = pipeline.held.responders.removeFirst()
            first.respond(.json(.ok, []))
            try pipeline.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            first.respond(.json(.ok, []))
        }
    }

    @Test func `the answer of an action that comes after the server's own is dropped`() throws {
        let pipeline = try Pipeline()
        try pipeline.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(pipeline.connection.cut() == 1)
        #expect(try pipeline.writes().joined().statuses == [503])
        pipeline.held.responders.removeFirst().respond(.json(.ok, []))
        #expect(try pipeline.writes().isEmpty)
    }

    @Test func `nothing of a request is left in the next one`() throws {
        let pipeline = try Pipeline()
        try pipeline.send(
            "GET /get?first HTTP/1.1\r\nHost: a\r\nX-Request-Id: one\r\nX-Request-Timing: 1\r\n"
                + "Accept: text/plain\r\nUser-Agent: x\r\nConnection: keep-alive\r\n\r\n"
                + "GET /get HTTP/1.1\r\nHost: a\r\n\r\n" + "GET /none?x HTTP/1.1\r\nHost: a\r\n\r\n")
        let request = pipeline.connection.request
        #expect(request.route == nil && request.failure == "route_not_found")
        let answers = try pipeline.writes().joined().components(separatedBy: "HTTP/1.1 ").dropFirst()
        #expect(answers.count == 3)
        #expect(answers.first?.contains("X-Request-Id: one\r\n") == true)
        #expect(answers.first?.hasSuffix("\r\n\r\nfirst") == true)
        #expect(answers.dropFirst().first?.hasSuffix("\r\n\r\n") == true)
        #expect(answers.dropFirst().allSatisfy { !$0.contains("X-Request-Id: one") })
        #expect(!request.fields.wantsTiming && request.fields.accept.count == 0 && request.client.userAgent.isEmpty)
    }

    @Test func `reading stops while bytes wait behind an outstanding answer, and goes on after it`() throws {
        let pipeline = try Pipeline()
        let reads = ReadCounter()
        try pipeline.channel.pipeline.syncOperations.addHandler(reads, position: .first)
        try pipeline.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        let afterFirst = reads.count
        pipeline.channel.read()
        #expect(reads.count == afterFirst + 1, "nothing waits yet: reading notices a peer that goes")
        try pipeline.send(pipeline.request(2))
        let afterSecond = reads.count
        pipeline.channel.read()
        #expect(reads.count == afterSecond)
        pipeline.held.responders.removeFirst().respond(.json(.ok, []))
        #expect(reads.count == afterSecond + 1)
        #expect(try pipeline.writes().joined().statuses == [200, 200])
    }

    @Test func `a peer that takes no answers is not read from`() throws {
        let pipeline = try Pipeline()
        let reads = ReadCounter()
        try pipeline.channel.pipeline.syncOperations.addHandler(reads, position: .first)
        pipeline.channel.isWritable = false
        pipeline.channel.pipeline.fireChannelWritabilityChanged()
        try pipeline.send(pipeline.request(1) + pipeline.request(2))
        #expect(try pipeline.writes().isEmpty)
        let before = reads.count
        pipeline.channel.read()
        #expect(reads.count == before)
        pipeline.channel.isWritable = true
        pipeline.channel.pipeline.fireChannelWritabilityChanged()
        #expect(try pipeline.writes().joined().statuses == [200, 200])
        #expect(reads.count == before + 1)
    }

    @Test func `the sweep ends what has taken too long`() throws {
        let pipeline = try Pipeline()
        try pipeline.send("GET /get HT")
        pipeline.connection.sweep(now: MonotonicClock.nanoseconds() + 9_000_000_000)
        #expect(try pipeline.writes().isEmpty && pipeline.channel.isActive)
        pipeline.connection.sweep(now: MonotonicClock.nanoseconds() + 10_000_000_001)
        #expect(try pipeline.writes().joined().statuses == [408])
    }

    @Test func `connections join and leave their loop`() throws {
        let pipeline = try Pipeline()
        #expect(pipeline.loop.counters.connections.load(ordering: .relaxed) == 1)
        try pipeline.send("GET /ge")
        #expect(pipeline.loop.counters.requestsInFlight.load(ordering: .relaxed) == 1)
        try pipeline.channel.close().wait()
        pipeline.channel.embeddedEventLoop.run()
        #expect(pipeline.loop.counters.connections.load(ordering: .relaxed) == 0)
        #expect(pipeline.loop.counters.requestsInFlight.load(ordering: .relaxed) == 0)
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.0.9", true), ("::1", true), ("::ffff:127.0.0.1", true), ("128.0.0.1", false),
        ("10.127.0.1", false), ("::2", false), ("::ffff:10.0.0.1", false), ("fe80::1", false),
    ])
    func `an action knows whether its client is on this host`(address: String, isLoopback: Bool) throws {
        let pipeline = try Pipeline(peer: address)
        try pipeline.send("GET /peer HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try pipeline.writes().joined().hasSuffix("\r\n\r\nloopback \(isLoopback)"))
    }

    private final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var count = 0

        func read(context: ChannelHandlerContext) {
            self.count += 1
            context.read()
        }
    }
}
