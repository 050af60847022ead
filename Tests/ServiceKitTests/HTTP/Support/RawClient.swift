import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// A connection that sends exactly the bytes it is told to, and keeps what comes back.
final class RawClient: Sendable {
    private let channel: any Channel
    private let collector: NIOLoopBound<Collector>

    private init(channel: any Channel, collector: NIOLoopBound<Collector>) {
        self.channel = channel
        self.collector = collector
    }

    static func connect(port: Int, group: MultiThreadedEventLoopGroup) async throws -> RawClient {
        let made = Mutex<NIOLoopBound<Collector>?>(nil)
        let channel = try await ClientBootstrap(group: group)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let collector = Collector()
                    try channel.pipeline.syncOperations.addHandler(collector)
                    made.withLock { $0 = NIOLoopBound(collector, eventLoop: channel.eventLoop) }
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawClient(channel: channel, collector: made.withLock { $0! })
    }

    func send(_ text: String) {
        self.channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
    }

    func send(_ bytes: [UInt8]) {
        self.channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    /// Closes the sending half.
    func endSending() {
        self.channel.close(mode: .output, promise: nil)
    }

    func close() {
        self.channel.close(promise: nil)
    }

    func stopReading() async throws {
        try await self.channel.setOption(.autoRead, value: false).get()
    }

    func startReading() async throws {
        try await self.channel.setOption(.autoRead, value: true).get()
    }

    /// Whatever has come by the time that `condition` holds; it is asked after each arrival and at the end.
    func receive(
        within limit: TimeAmount = .seconds(10),
        until condition: @escaping @Sendable (_ text: String, _ ended: Bool) -> Bool
    ) async throws -> String {
        let collector = self.collector
        return try await self.channel.eventLoop.flatSubmit {
            collector.value.wait(limit: limit, until: condition)
        }.get()
    }

    /// Everything until the server closes the connection.
    func receiveToEnd(within limit: TimeAmount = .seconds(10)) async throws -> String {
        try await self.receive(within: limit) { _, ended in ended }
    }

    /// Everything until so many answers of this beginning have come.
    func receiveAnswers(_ count: Int) async throws -> String {
        try await self.receive { text, ended in ended || text.occurrences(of: "HTTP/1.1 ") >= count }
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private struct Waiter {
            let condition: @Sendable (String, Bool) -> Bool
            let promise: EventLoopPromise<String>
            let timeout: Scheduled<Void>
        }

        private var text = ""
        private var ended = false
        private var waiter: Waiter?
        private var eventLoop: (any EventLoop)?

        func handlerAdded(context: ChannelHandlerContext) { self.eventLoop = context.eventLoop }

        func wait(limit: TimeAmount, until condition: @escaping @Sendable (String, Bool) -> Bool) -> EventLoopFuture<
            String
        > {
            let promise = self.eventLoop!.makePromise(of: String.self)
            let seen = NIOLoopBound(self, eventLoop: self.eventLoop!)
            let timeout = self.eventLoop!.scheduleTask(in: limit) {
                promise.fail(TimeoutError(description: "answer; so far: \(seen.value.text.prefix(400))"))
            }
            self.waiter = Waiter(condition: condition, promise: promise, timeout: timeout)
            self.check()
            return promise.futureResult
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.text += String(buffer: Self.unwrapInboundIn(data))
            self.check()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .some(.inputClosed) = event as? ChannelEvent { self.end(context) }
        }

        func channelInactive(context: ChannelHandlerContext) { self.end(context) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { self.end(context) }

        private func end(_ context: ChannelHandlerContext) {
            self.ended = true
            self.check()
            context.close(promise: nil)
        }

        private func check() {
            guard let waiter = self.waiter, waiter.condition(self.text, self.ended) else { return }
            self.waiter = nil
            waiter.timeout.cancel()
            waiter.promise.succeed(self.text)
        }
    }
}

extension String {
    func occurrences(of part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: part) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }

    /// The status of each answer in the text, in order.
    var statuses: [Int] {
        self.split(separator: "\r\n").compactMap { line in
            guard let range = line.firstRange(of: "HTTP/1.1 ") else { return nil }
            return Int(line[range.upperBound...].prefix(3))
        }
    }
}
