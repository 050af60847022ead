import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The authority that a ``RawConnection`` over TLS trusts.
package struct ClientTrust: Sendable {
    fileprivate let context: NIOSSLContext

    /// - Parameter authority: the PEM file of its certificate.
    package init(authority: String) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(authority)
        self.context = try NIOSSLContext(configuration: configuration)
    }
}

/// A connection to `127.0.0.1`, plain or over TLS, that sends exactly the bytes it is given, in exactly the writes it is
/// given; over TLS each write is a record of its own. It keeps all that comes back.
///
/// Its methods block. Any thread.
package final class RawConnection: Sendable {
    private struct State {
        var received: [UInt8] = []
        var isEnded = false
        /// Those that were read so far, and how many of the received bytes they are.
        var answers: [HTTPAnswer] = []
        var readBytes = 0
        /// So many had been received when the last look was for answers.
        var seenBytes = 0

        mutating func read(withoutBody: Bool) throws {
            guard self.received.count > self.seenBytes else { return }
            self.seenBytes = self.received.count
            let (answers, bytes) = try HTTPAnswer.all(in: self.received[self.readBytes...], withoutBody: withoutBody)
            self.answers += answers
            self.readBytes += bytes
        }
    }

    private final class Held: Sendable {
        let state = Mutex(State())
    }

    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    private let channel: any Channel
    private let held = Held()

    /// - Parameter trust: for TLS; nil for a plain connection.
    package init(port: UInt16, trust: ClientTrust? = nil) throws {
        let held = self.held
        self.channel = try ClientBootstrap(group: Self.group)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let trust {
                        try pipeline.addHandler(NIOSSLClientHandler(context: trust.context, serverHostname: nil))
                    }
                    try pipeline.addHandler(Collector(held))
                }
            }
            .connect(host: "127.0.0.1", port: Int(port)).wait()
    }

    deinit { self.channel.close(promise: nil) }

    /// Returns when the bytes are with the system. A server that has closed already is no error.
    package func send(_ bytes: [UInt8]) {
        try? self.channel.writeAndFlush(ByteBuffer(bytes: bytes)).wait()
    }

    /// Ends the sending half.
    package func endSending() { self.channel.close(mode: .output, promise: nil) }

    package func close() { self.channel.close(promise: nil) }

    /// The answers so far, once there are `count` of them, or the server has closed the connection.
    ///
    /// - Parameter withoutBody: whether the answers are to `HEAD`.
    /// - Throws: ``TimeoutError``, or ``MalformedAnswer``.
    package func answers(_ count: Int, withoutBody: Bool = false, seconds: Double = 10) throws -> [HTTPAnswer] {
        let isThere = try Poll.holds(seconds: seconds) {
            try self.held.state.withLock { state in
                try state.read(withoutBody: withoutBody)
                return state.answers.count >= count || state.isEnded
            }
        }
        let answers = self.held.state.withLock { $0.answers }
        guard isThere else {
            throw TimeoutError(description: "\(answers.count) of \(count) answers; \(self.text.debugDescription)")
        }
        return answers
    }

    /// Waits for the end of what the server sends.
    ///
    /// - Returns: false if it has not ended after `seconds`.
    package func waitForEnd(seconds: Double = 10) -> Bool {
        Poll.holds(seconds: seconds) { self.held.state.withLock { $0.isEnded } }
    }

    /// All that has come.
    package var text: String { String(decoding: self.held.state.withLock { $0.received }, as: UTF8.self) }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let held: Held

        init(_ held: Held) { self.held = held }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Array(Self.unwrapInboundIn(data).readableBytesView)
            self.held.state.withLock { $0.received += bytes }
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .some(.inputClosed) = event as? ChannelEvent { self.end(context) }
        }

        func channelInactive(context: ChannelHandlerContext) { self.end(context) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { self.end(context) }

        private func end(_ context: ChannelHandlerContext) {
            self.held.state.withLock { $0.isEnded = true }
            context.close(promise: nil)
        }
    }
}

extension HTTPAnswer {
    /// The complete answers in what a server has sent, without interim ones, and how many bytes they are.
    ///
    /// - Parameter withoutBody: whether they are to `HEAD`.
    fileprivate static func all(
        in bytes: ArraySlice<UInt8>, withoutBody: Bool
    ) throws -> (answers: [HTTPAnswer], bytes: Int) {
        var answers: [HTTPAnswer] = []
        var rest = bytes
        while let end = rest.firstRange(of: Array("\r\n\r\n".utf8)) {
            var answer = try HTTPAnswer(head: String(decoding: rest[..<end.lowerBound], as: UTF8.self))
            var behind = rest[end.upperBound...]
            if answer.status / 100 != 1, answer.status != 204, answer.status != 304, !withoutBody {
                guard let length = answer["Content-Length"].flatMap({ Int($0) }) else {
                    throw MalformedAnswer(reason: "an answer without a length: \(answer)")
                }
                guard behind.count >= length else { break }
                answer.body = Array(behind.prefix(length))
                behind = behind.dropFirst(length)
            }
            rest = behind
            if answer.status / 100 != 1 { answers.append(answer) }
        }
        return (answers, bytes.count - rest.count)
    }
}
