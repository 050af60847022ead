import Glibc
public import NIOCore
public import NIOHTTP1
import NIOPosix
public import TransportSecurity

/// One HTTP/1.1 request over a connection of its own: for the readiness probe of the command line, and the exporter of
/// spans. One request each, so there is no pool, and no kept connection whose end a request could meet; clients with
/// more to ask have the gateway's upstream pool.
public struct HTTPExchange: Sendable {
    /// What failed, and the `errno` that says why.
    public struct Failure: Error {
        public let step: StaticString
        public let code: Int32
        /// Why a TLS handshake failed.
        public var handshake: HandshakeFailure?
    }

    public let host: String
    public let port: UInt16
    /// Monotonic nanoseconds: the end of all waiting.
    public let deadlineNanoseconds: UInt64
    /// Of the head, and of the body; what is beyond it is not read.
    public let answerLimitBytes: Int
    /// Nil for plain HTTP.
    let tls: TLSEndpoint?

    public init(
        host: String, port: UInt16, tls: TLSEndpoint? = nil, deadlineNanoseconds: UInt64, answerLimitBytes: Int
    ) {
        self.host = host
        self.port = port
        self.tls = tls
        self.deadlineNanoseconds = deadlineNanoseconds
        self.answerLimitBytes = answerLimitBytes
    }

    /// Sends a request that asks for the connection to be closed, and reads until the answer is complete, the peer
    /// closes, or the limit is reached. Any thread.
    ///
    /// - Parameters:
    ///   - head: with all fields; what says how long the body is too.
    ///   - loop: does all of it. A host name is resolved on another thread.
    /// - Returns: a future that fails with a ``Failure``, and with nothing else.
    public func run(
        _ head: HTTPRequestHead, body: ByteBuffer = ByteBuffer(), on loop: any EventLoop
    ) -> EventLoopFuture<ReceivedAnswer> {
        let deadline = NIODeadline.uptimeNanoseconds(self.deadlineNanoseconds)
        let left = deadline - .now()
        guard left > .zero else { return loop.makeFailedFuture(Failure(step: "connect", code: ETIMEDOUT)) }
        return ClientConnector(host: self.host, port: self.port, tls: self.tls).connect(
            on: loop, timeout: left,
            // So much at most is read beyond the limit of the answer.
            options: { $0.channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4_096)) }
        )
        .flatMapErrorThrowing { throw Failure(connecting: $0) }
        .flatMap { channel in
            let promise = loop.makePromise(of: ReceivedAnswer.self)
            let collector = AnswerCollector(answerLimitBytes: self.answerLimitBytes, promise: promise)
            let expiry = loop.assumeIsolated().scheduleTask(deadline: deadline) { collector.expire() }
            promise.futureResult.whenComplete { _ in
                expiry.cancel()
                channel.close(promise: nil)
            }
            do { try collector.start(head, body, on: channel) } catch {
                promise.fail(Failure(error, step: "connect"))
            }
            return promise.futureResult
        }
    }

    /// As ``run(_:body:on:)``, for threads that may block: not for event loops.
    public func result(
        _ head: HTTPRequestHead, body: ByteBuffer = ByteBuffer(), on loop: any EventLoop
    ) -> Result<ReceivedAnswer, Failure> {
        do { return .success(try self.run(head, body: body, on: loop).wait()) } catch {
            return .failure(error as? Failure ?? Failure(error, step: "connect"))
        }
    }
}

extension HTTPExchange.Failure {
    init(_ error: any Error, step: StaticString) {
        switch error {
        case let error as IOError: self.init(step: step, code: error.errnoCode)
        case ChannelError.connectTimeout: self.init(step: step, code: ETIMEDOUT)
        // Of a channel that has been closed meanwhile.
        default: self.init(step: step, code: EPIPE, handshake: HandshakeFailure(error))
        }
    }

    /// Of several addresses, the last one's.
    fileprivate init(connecting error: any Error) {
        guard let error = error as? NIOConnectionError else {
            self.init(error, step: "connect")
            return
        }
        if let last = error.connectionErrors.last {
            self.init(last.error, step: "connect")
        } else {
            self.init(step: "look up", code: ENOENT)
        }
    }
}
