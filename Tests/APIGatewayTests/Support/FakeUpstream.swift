import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// A request as it arrived at a ``FakeUpstream``.
struct FakeRequest: Sendable {
    /// Counted from 1 over the server's life.
    let connection: Int
    /// Counted from 1 over the connection's life.
    let number: Int
    let method: String
    let target: String
    /// Names in lower case.
    let fields: [String: String]
    let body: [UInt8]

    var path: String { String(self.target.prefix { $0 != "?" }) }

    /// The key in the query, decoded here and not by what is tested.
    var key: [UInt8]? {
        guard let range = self.target.firstRange(of: "?key=") else { return nil }
        var key: [UInt8] = []
        var rest = Array(self.target[range.upperBound...].utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                key.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            key.append(value)
            rest = rest.dropFirst(2)
        }
        return key
    }
}

/// What a ``FakeUpstream`` does, step by step.
enum FakeStep: Sendable {
    case send([UInt8])
    case wait(milliseconds: Int64)
    case waitFor(FakeGate)
    case close
    /// Closes with a TCP reset.
    case reset

    static func text(_ text: String) -> FakeStep { .send(Array(text.utf8)) }
}

/// Holds answers back until a test opens it.
final class FakeGate: Sendable {
    private let waiting = Mutex<[@Sendable () -> Void]?>([])

    func open() {
        let callbacks = self.waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting ?? []
        }
        for callback in callbacks { callback() }
    }

    fileprivate func whenOpen(_ callback: @escaping @Sendable () -> Void) {
        let isOpen = self.waiting.withLock { waiting in
            waiting?.append(callback)
            return waiting == nil
        }
        if isOpen { callback() }
    }
}

/// A kv-service that answers whatever a test wants, well-formed or not, on a free port of the loopback interface.
final class FakeUpstream: Sendable {
    typealias Reply = @Sendable (FakeRequest) -> [FakeStep]

    private struct State {
        var requests: [FakeRequest] = []
        var connections = 0
    }

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let state = Mutex(State())
    private let onConnect: @Sendable (Int) -> [FakeStep]
    private let bytesBeforeReset: Int?
    private let reply: Reply
    private let channel = Mutex<(any Channel)?>(nil)

    /// - Parameters:
    ///   - onConnect: done when a connection is accepted, before anything is read.
    ///   - bytesBeforeReset: each connection is reset once it has received so many bytes.
    init(
        onConnect: @escaping @Sendable (Int) -> [FakeStep] = { _ in [] },
        bytesBeforeReset: Int? = nil,
        reply: @escaping Reply
    ) {
        self.onConnect = onConnect
        self.bytesBeforeReset = bytesBeforeReset
        self.reply = reply
    }

    /// - Returns: the port.
    func start(port: Int = 0) async throws -> Int {
        let bootstrap = ServerBootstrap(group: self.group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let number = self.state.withLock { state in
                        state.connections += 1
                        return state.connections
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        FakeConnection(
                            number: number,
                            firstSteps: self.onConnect(number),
                            bytesBeforeReset: self.bytesBeforeReset
                        ) { request in
                            self.state.withLock { $0.requests.append(request) }
                            return self.reply(request)
                        }
                    )
                }
            }
        let channel = try await bootstrap.bind(host: "127.0.0.1", port: port).get()
        self.channel.withLock { $0 = channel }
        return channel.localAddress?.port ?? 0
    }

    func stop() async throws {
        try await self.group.shutdownGracefully()
    }

    var requests: [FakeRequest] { self.state.withLock { $0.requests } }
    var connections: Int { self.state.withLock { $0.connections } }
}

private final class FakeConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let number: Int
    private let firstSteps: [FakeStep]
    private let bytesBeforeReset: Int?
    private let reply: (FakeRequest) -> [FakeStep]
    private var received = ByteBuffer()
    private var receivedBytes = 0
    private var requests = 0

    init(
        number: Int,
        firstSteps: [FakeStep],
        bytesBeforeReset: Int?,
        reply: @escaping (FakeRequest) -> [FakeStep]
    ) {
        self.number = number
        self.firstSteps = firstSteps
        self.bytesBeforeReset = bytesBeforeReset
        self.reply = reply
    }

    func channelActive(context: ChannelHandlerContext) {
        self.run(self.firstSteps[...], context: context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = Self.unwrapInboundIn(data)
        self.receivedBytes += bytes.readableBytes
        self.received.writeBuffer(&bytes)
        if let limit = self.bytesBeforeReset, self.receivedBytes >= limit {
            self.run([.reset], context: context)
            return
        }
        while let request = self.nextRequest() {
            self.run(self.reply(request)[...], context: context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func nextRequest() -> FakeRequest? {
        let text = String(decoding: self.received.readableBytesView, as: Unicode.ASCII.self)
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let headBytes = text.utf8.distance(from: text.startIndex, to: end.upperBound)
        var lines = text[..<end.lowerBound].split(separator: "\r\n")
        let requestLine = lines.removeFirst().split(separator: " ").map(String.init)
        var fields: [String: String] = [:]
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1)
            fields[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        let length = Int(fields["content-length"] ?? "0") ?? 0
        guard self.received.readableBytes >= headBytes + length, requestLine.count == 3 else { return nil }
        self.received.moveReaderIndex(forwardBy: headBytes)
        let body = self.received.readBytes(length: length) ?? []
        self.requests += 1
        return FakeRequest(
            connection: self.number,
            number: self.requests,
            method: requestLine[0],
            target: requestLine[1],
            fields: fields,
            body: body
        )
    }

    private func run(_ steps: ArraySlice<FakeStep>, context: ChannelHandlerContext) {
        guard let step = steps.first else { return }
        let rest = steps.dropFirst()
        switch step {
        case .send(let bytes):
            context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
            self.run(rest, context: context)
        case .wait(let milliseconds):
            let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) {
                let (connection, context) = loopBound.value
                connection.run(rest, context: context)
            }
        case .waitFor(let gate):
            let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            let eventLoop = context.eventLoop
            gate.whenOpen {
                eventLoop.execute {
                    let (connection, context) = loopBound.value
                    connection.run(rest, context: context)
                }
            }
        case .close:
            context.close(promise: nil)
        case .reset:
            // Done at once: this is the channel's event loop.
            _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            context.close(promise: nil)
        }
    }
}

/// Well-formed answers of kv-service.
enum FakeAnswer {
    static func json(_ body: String, status: String = "200 OK", fields: String = "") -> [FakeStep] {
        self.answer(status, type: "application/json", Array(body.utf8), fields: fields)
    }

    static func problem(_ status: String, _ body: String, fields: String = "") -> [FakeStep] {
        self.answer(status, type: "application/problem+json", Array(body.utf8), fields: fields)
    }

    static func value(_ bytes: [UInt8], revision: UInt64) -> [FakeStep] {
        self.answer("200 OK", type: "application/octet-stream", bytes, fields: "ETag: \"\(revision)\"\r\n")
    }

    static func stored(_ revision: UInt64) -> [FakeStep] {
        self.json(
            #"{"status":"ok","message":"value set","revision":\#(revision)}"#,
            fields: "ETag: \"\(revision)\"\r\n"
        )
    }

    static let deleted = Self.json(#"{"status":"ok","message":"key deleted","deleted":true,"revision":9}"#)

    static let missing = Self.problem(
        "404 Not Found",
        #"{"type":"urn:kv:error:key_not_found","status":404,"code":"key_not_found","detail":"no such key"}"#,
        fields: "X-KV-Result: miss\r\n"
    )

    /// What kv-service says at `/readyz`.
    static let ready = Self.json(#"{"status":"ok","service":"kv-service","state":"ready","checks":[]}"#)
    static let notReady = Self.json(
        #"{"status":"unavailable","service":"kv-service","state":"replaying","checks":[{"name":"a","message":"]"}]}"#,
        status: "503 Service Unavailable"
    )

    /// What kv-service says to a connection above its limit, before it reads anything.
    static func connectionRefused(
        code: String = "too_many_connections", fields: String = "Connection: close\r\n"
    ) -> [FakeStep] {
        self.problem(
            "503 Service Unavailable",
            #"{"status":503,"code":"\#(code)","detail":"All 2 connections are in use.","request_id":"kv-1"}"#,
            fields: "X-Request-Id: kv-1\r\nRetry-After: 1\r\n\(fields)"
        )
    }

    static func answer(_ status: String, type: String, _ body: [UInt8], fields: String = "") -> [FakeStep] {
        let head = "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.count)\r\n\(fields)\r\n"
        return [.send(Array(head.utf8) + body)]
    }
}
