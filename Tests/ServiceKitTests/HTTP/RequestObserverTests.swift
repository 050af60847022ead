import HTTP1
import NIOCore
import NIOEmbedded
import NIOHTTP1
import RequestTracing
import Synchronization
import Testing
import TransportSecurity

@testable import HTTPServing

/// What a server tells its observer. Everything that a service keeps of its requests follows from that.
@Suite(.timeLimit(.minutes(1))) struct RequestObserverTests {
    private final class Observer: ServerObserver {
        let loop = Mutex<LoopObserver?>(nil)
        let sampler: TraceSampler?

        init(sampler: TraceSampler?) {
            self.sampler = sampler
        }

        func connectionAccepted() {}
        func connectionRejected() {}
        func acceptFailed() {}
        func makeLoopObserver() -> any RequestObserver {
            self.loop.withLock { loop in
                let made = LoopObserver()
                loop = made
                return made
            }
        }
    }

    /// `@unchecked Sendable`: each test uses it on its own thread only.
    private final class LoopObserver: RequestObserver, @unchecked Sendable {
        let counters = LoopCounters()
        var told: [String] = []
        var recorded: [Bool] = []

        func index(ofHandler handler: String) -> Int { handler == "get" ? 7 : 9 }
        func handshakeEnded(failure: HandshakeFailure.Kind?) { self.told.append(failure?.rawValue ?? "handshake") }
        func responseCut(_ reason: ResponseCut) { self.told.append(reason.rawValue) }
        func sweep(now: UInt64) {}

        func turnEnded() { self.told.append("turn") }

        func answered(_ request: HTTPRequest, _ answer: AnswerFigures) {
            request.client.note.append(UInt8(ascii: "x"))
            self.recorded.append(request.identity.isRecorded)
            self.told.append(
                "\(request.method.name) \(request.path) \(request.route?.handlerIndex ?? -1) \(answer.status) "
                    + "\(answer.bodyBytes) \(request.failure ?? "-") \(request.client.note.count) "
                    + "\(self.counters.requestsInFlight.load(ordering: .relaxed))")
        }
    }

    /// Sends the text on one connection.
    private func observe(
        _ text: String, sampler: TraceSampler? = nil, admission: @escaping HTTPServer.Admission = { _ in nil }
    ) throws -> LoopObserver {
        let observer = Observer(sampler: sampler)
        let channel = EmbeddedChannel()
        let route = Route(
            path: "/get", handler: "get", kind: .data(isWrite: false), access: .open,
            actions: [(.get, { _, responder in responder.respond(.json(.ok, Array("answer".utf8))) })])
        let loop = HTTPServerLoop(
            eventLoop: channel.embeddedEventLoop, limits: HTTPServer.Limits(), observer: observer,
            admission: admission, access: nil, routes: [route])
        try channel.pipeline.syncOperations.addHandler(HTTPConnectionHandler(loop: loop, now: 0))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.writeInbound(ByteBuffer(string: text))
        return try #require(observer.loop.withLock { $0 })
    }

    @Test func `each request is told once, with its route, its figures and what was kept for its connection`() throws {
        let observer = try self.observe(
            "GET /get HTTP/1.1\r\nHost: a\r\n\r\n" + "HEAD /get HTTP/1.1\r\nHost: a\r\n\r\n"
                + "GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(observer.told.prefix(2) == ["GET /get 7 200 6 - 1 1", "HEAD /get 7 200 0 - 2 1"])
        #expect(observer.told.count == 3)
        #expect(observer.told.last?.hasPrefix("GET /none -1 404 ") == true)
        #expect(observer.told.last?.hasSuffix(" route_not_found 3 1") == true)
        #expect(observer.counters.requestsInFlight.load(ordering: .relaxed) == 0)
        #expect(observer.counters.connections.load(ordering: .relaxed) == 1)
    }

    @Test func `what the admission refuses is told as any other answer`() throws {
        let refusal = Problem(.serviceUnavailable, code: "read_only", detail: "")
        let observer = try self.observe("GET /get HTTP/1.1\r\nHost: a\r\n\r\n", admission: { _ in refusal })
        #expect(observer.told.count == 1)
        #expect(observer.told.first?.hasPrefix("GET /get 7 503 ") == true)
        #expect(observer.told.first?.contains(" read_only ") == true)
    }

    @Test func `requests are recorded if the observer has a sampler that takes their trace`() throws {
        let get = "GET /get HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(try self.observe(get, sampler: TraceSampler(ratio: 1)).recorded == [true])
        #expect(try self.observe(get, sampler: TraceSampler(ratio: 0)).recorded == [false])
        #expect(try self.observe(get).recorded == [false])
    }
}
