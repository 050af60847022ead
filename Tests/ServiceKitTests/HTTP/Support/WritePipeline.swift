import HTTP1
import NIOCore
import NIOEmbedded
import NIOHTTP1
import RequestTracing
import Synchronization
import TransportSecurity

@testable import HTTPServing

/// A connection without a socket, whose writes are answered when the test says so.
struct WritePipeline {
    /// What the server told of the requests it answered: method, status, request id.
    ///
    /// `@unchecked Sendable`: each test uses it on its own thread only.
    final class Observer: ServerObserver, RequestObserver, @unchecked Sendable {
        let counters = LoopCounters()
        let sampler: TraceSampler? = nil
        var told: [String] = []

        func connectionAccepted() {}
        func connectionRejected() {}
        func acceptFailed() {}
        func makeLoopObserver() -> any RequestObserver { self }
        func index(ofHandler handler: String) -> Int { 0 }
        func handshakeEnded(failure: HandshakeFailure.Kind?) { self.told.append(failure?.rawValue ?? "handshake") }
        func responseCut(_ reason: ResponseCut) { self.told.append(reason.rawValue) }
        func sweep(now: UInt64) {}
        func turnEnded() {}
        func answered(_ request: HTTPRequest, _ answer: AnswerFigures) {
            self.told.append("\(request.method.name) \(answer.status) \(request.id)")
        }

        var inFlight: Int { self.counters.requestsInFlight.load(ordering: .relaxed) }
    }

    /// The actions that were called, in order; writes wait here.
    final class Calls {
        var called: [String] = []
        var writes: [Responder] = []
    }

    let channel = EmbeddedChannel()
    let observer = Observer()
    let calls = Calls()
    let loop: HTTPServerLoop
    let connection: HTTPConnectionHandler

    init(limits: HTTPServer.Limits = HTTPServer.Limits()) throws {
        let calls = self.calls
        self.loop = HTTPServerLoop(
            eventLoop: self.channel.embeddedEventLoop, limits: limits, observer: self.observer,
            admission: { _ in nil },
            access: nil,
            routes: [
                Route(
                    path: "/write", handler: "write", kind: .data(isWrite: true), access: .open,
                    bodyLimitBytes: 100_000,
                    keepsOrder: true,
                    actions: [
                        (
                            .post,
                            { request, responder in
                                calls.called.append(request.id)
                                // As an action does that sees that the request is wrong.
                                if request.hasQuery { return responder.fail(Self.refusal) }
                                calls.writes.append(responder)
                            }
                        )
                    ]),
                Route(
                    path: "/unordered", handler: "unordered", kind: .data(isWrite: true), access: .open,
                    actions: [
                        (
                            .post,
                            { request, responder in
                                calls.called.append(request.id)
                                calls.writes.append(responder)
                            }
                        )
                    ]),
                Route(
                    path: "/get", handler: "get", kind: .data(isWrite: false), access: .open,
                    actions: [
                        (
                            .get,
                            { request, responder in
                                calls.called.append(request.id)
                                responder.respond(.json(.ok, Array("got \(request.query ?? "")".utf8)))
                            }
                        )
                    ]),
            ])
        self.connection = HTTPConnectionHandler(loop: self.loop, now: 0)
        try self.channel.pipeline.syncOperations.addHandler(self.connection)
        try self.channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    static let refusal = Problem(.badRequest, code: "bad_query", detail: "The query is wrong.", applied: .no)

    static func write(_ id: String, _ fields: String = "", path: String = "/write", body: String = "") -> String {
        "POST \(path) HTTP/1.1\r\nHost: a\r\nX-Request-Id: \(id)\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n"
            + body
    }

    static func get(_ id: String, _ fields: String = "") -> String {
        "GET /get?\(id) HTTP/1.1\r\nHost: a\r\nX-Request-Id: \(id)\r\n\(fields)\r\n"
    }

    func send(_ text: String) throws {
        try self.channel.writeInbound(ByteBuffer(string: text))
    }

    /// Answers the write with this place among those that wait.
    func answer(_ place: Int = 0) {
        let responder = self.calls.writes.remove(at: place)
        responder.respond(.json(.ok, Array("wrote \(responder.request.id)".utf8)))
    }

    /// What has been written since the last call, at the end of the loop's turn: one text for each write.
    func writes() throws -> [String] {
        self.channel.embeddedEventLoop.run()
        var writes: [String] = []
        while let buffer = try self.channel.readOutbound(as: ByteBuffer.self) {
            writes.append(String(buffer: buffer))
        }
        return writes
    }

    /// The same as ids of the requests that were answered.
    func answeredIDs() throws -> [String] { Self.ids(try self.writes().joined()) }

    static func ids(_ text: String) -> [String] {
        text.split(separator: "\r\n").compactMap { line in
            line.hasPrefix("X-Request-Id: ") ? String(line.dropFirst(14)) : nil
        }
    }
}
