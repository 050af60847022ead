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
        var answers: [HTTPAnswer] = []
        let isThere = try Poll.holds(seconds: seconds) {
            let (received, isEnded) = self.held.state.withLock { ($0.received, $0.isEnded) }
            answers = try HTTPAnswer.all(in: received, withoutBody: withoutBody)
            return answers.count >= count || isEnded
        }
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
    /// The complete answers in what a server has sent, without interim ones.
    ///
    /// - Parameter withoutBody: whether they are to `HEAD`.
    fileprivate static func all(in bytes: [UInt8], withoutBody: Bool) throws -> [HTTPAnswer] {
        var answers: [HTTPAnswer] = []
        var rest = bytes[...]
        while let end = rest.firstRange(of: Array("\r\n\r\n".utf8)) {
            var answer = try HTTPAnswer(head: String(decoding: rest[..<end.lowerBound], as: UTF8.self))
            rest = rest[end.upperBound...]
            if answer.status / 100 == 1 { continue }
            if !withoutBody, answer.status != 204, answer.status != 304 {
                guard let length = answer["Content-Length"].flatMap({ Int($0) }) else {
                    throw MalformedAnswer(reason: "an answer without a length: \(answer)")
                }
                guard rest.count >= length else { break }
                answer.body = Array(rest.prefix(length))
                rest = rest.dropFirst(length)
            }
            answers.append(answer)
        }
        return answers
    }
}
