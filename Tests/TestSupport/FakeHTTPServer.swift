import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// A request as it arrived at a ``FakeHTTPServer``.
package struct FakeRequest: Sendable {
    /// Counted from 1 over the server's life.
    package let connection: Int
    /// Counted from 1 over the connection's life.
    package let number: Int
    package let method: String
    package let target: String
    /// Names in lower case.
    package let fields: [String: String]
    package let body: [UInt8]

    package var path: String { String(self.target.prefix { $0 != "?" }) }

    /// The key in the query, decoded here and not by what is tested.
    package var key: [UInt8]? {
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

/// What a ``FakeHTTPServer`` does, step by step.
package enum FakeStep: Sendable {
    case send([UInt8])
    case wait(milliseconds: Int64)
    case waitFor(FakeGate)
    case close
    /// Closes with a TCP reset.
    case reset

    package static func text(_ text: String) -> FakeStep { .send(Array(text.utf8)) }
}

/// Holds answers back until a test opens it.
package final class FakeGate: Sendable {
    private let waiting = Mutex<[@Sendable () -> Void]?>([])

    package init() {}

    package func open() {
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

/// An HTTP/1.1 server that answers whatever a test wants, well-formed or not, on a free port of the loopback interface.
package final class FakeHTTPServer: Sendable {
    package typealias Reply = @Sendable (FakeRequest) -> [FakeStep]

    private struct State {
        var requests: [FakeRequest] = []
        var connections = 0
    }

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let state = Mutex(State())
    private let onConnect: @Sendable (Int) -> [FakeStep]
    private let bytesBeforeReset: Int?
    private let reply: Reply

    /// - Parameters:
    ///   - onConnect: done when a connection is accepted, before anything is read.
    ///   - bytesBeforeReset: each connection is reset once it has received so many bytes.
    package init(
        onConnect: @escaping @Sendable (Int) -> [FakeStep] = { _ in [] },
        bytesBeforeReset: Int? = nil,
        reply: @escaping Reply
    ) {
        self.onConnect = onConnect
        self.bytesBeforeReset = bytesBeforeReset
        self.reply = reply
    }

    /// - Returns: the port.
    package func start(port: Int = 0) async throws -> Int {
        try await self.bind(port).map { $0.localAddress?.port ?? 0 }.get()
    }

    /// As ``start(port:)``, for tests without tasks: blocks the thread.
    package func startAndWait() throws -> Int {
        try self.bind(0).map { $0.localAddress?.port ?? 0 }.wait()
    }

    private func bind(_ port: Int) -> EventLoopFuture<any Channel> {
        ServerBootstrap(group: self.group)
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
            .bind(host: "127.0.0.1", port: port)
    }

    package func stop() async throws {
        try await self.group.shutdownGracefully()
    }

    /// Closes all connections without waiting for that.
    package func stopLater() {
        self.group.shutdownGracefully { error in
            if let error { print("a fake server does not stop: \(error)") }
        }
    }

    package var requests: [FakeRequest] { self.state.withLock { $0.requests } }
    package var connections: Int { self.state.withLock { $0.connections } }
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
