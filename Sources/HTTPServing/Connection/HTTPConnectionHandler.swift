import HTTP1
import NIOCore
import ServiceSettings
import Synchronization
import SystemSupport
import TransportSecurity

/// One connection: parses requests from its bytes, runs their actions in order, and sends the answers.
///
/// ``RequestReader`` turns bytes into requests; ``ConnectionMachine`` and ``HTTPRequest`` decide; this class connects
/// them to the channel. Answers of one burst of requests are collected in one buffer and sent with one write.
/// Confined to its event loop.
public final class HTTPConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// What may be read of the received bytes.
    enum Demand: Equatable {
        case head
        /// A request that has waited for earlier answers can begin.
        case turn
        case body(remaining: Int)
        case chunkedBody
        /// Keep everything: an answer is outstanding, or the peer reads too slowly.
        case nothing
        /// Drop everything: the connection ends.
        case discard
    }

    /// No more requests are read behind unanswered ones with more than this in their bodies, or in answers that wait for
    /// their turn: what waits in the service for the disk is limited for each connection.
    static let earlierLimitBytes = 65_536
    /// If the answers that wait for the end of a burst are larger than this, they are sent before more requests are
    /// read.
    private static let outputLimitBytes = 32_768
    /// Maximum bytes of answers that wait in the system to be sent. Without this limit the system buffers some
    /// megabytes for a peer that reads nothing, and the requests behind them are carried out.
    static let unsentInSystemBytes = 131_072
    /// No more requests are read while more than this waits for the system. Together with the answer that exceeds it,
    /// this limits the memory for a peer that reads nothing.
    static let unsentLimit = ChannelOptions.Types.WriteBufferWaterMark(low: 4_096, high: 16_384)

    let loop: HTTPServerLoop
    /// Index among the loop's connections.
    var position = -1

    var machine: ConnectionMachine
    let reader: RequestReader
    /// Whether the peer has closed its sending half; bytes from before may still wait in the reader.
    var endOfInputSeen = false
    var context: ChannelHandlerContext?
    /// The current request, or the one before; used again for each.
    var request: HTTPRequest
    /// The requests before the current one that have no answer yet, in order.
    var earlierRequests = CircularBuffer<HTTPRequest>(initialCapacity: 0)
    /// Answers that wait for their turn.
    var heldAnswers = 0
    /// Bytes of the bodies of the earlier requests, and of the answers that wait for their turn.
    var earlierBytes = 0
    /// Whether the loop will call ``feed(now:)`` at the end of its turn.
    var isFedLater = false
    var output: ByteBuffer?
    var inBurst = false
    var now: UInt64
    /// How the connection ends after the answers are sent.
    var ending: ConnectionMachine.AfterAnswer?
    private(set) var isWritable = true
    /// What the current request waits for, if it does.
    var holder: (any HeldRequest)?
    /// Whether the body of the current answer is given piece by piece.
    var isStreaming = false
    var readIsDue = false
    /// Requests between their first byte and their answer.
    var inFlight = 0
    var writeProgress: WriteProgress
    var writtenBytes: UInt64 = 0
    var mayHaveUnsentBytes = false

    init(loop: HTTPServerLoop, now: UInt64) {
        self.loop = loop
        self.now = now
        self.reader = RequestReader(limits: loop.limits.head)
        self.machine = ConnectionMachine(timeouts: loop.timeouts, now: now)
        self.writeProgress = WriteProgress(timeout: loop.writeTimeoutNanoseconds)
        self.request = HTTPRequest(eventLoop: loop.eventLoop)
    }

    var demand: Demand {
        switch self.machine.phase {
        case .idle, .head: return self.outputIsFull || self.machine.isEnding ? .nothing : .head
        case .waiting: return self.machine.turnHasCome && !self.outputIsFull ? .turn : .nothing
        case .body:
            if self.request.framing == .chunked { return .chunkedBody }
            return .body(remaining: self.request.remainingBytes)
        case .answering:
            // Nothing follows, but the end of input must be noticed.
            if self.isStreaming { return .discard }
            return self.mayBeFollowed && !self.outputIsFull ? .head : .nothing
        case .lingering, .closed: return .discard
        }
    }

    private var outputIsFull: Bool {
        !self.isWritable || (self.output?.readableBytes ?? 0) >= Self.outputLimitBytes
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func channelActive(context: ChannelHandlerContext) {
        let address = context.remoteAddress
        let text = address.flatMap { $0.ipAddress }
        let ipAddress = text.flatMap { IPAddress($0) }
        self.request.client = ConnectionClient(
            address: text.map { "\($0):\(address?.port ?? 0)" } ?? "",
            ipAddress: ipAddress,
            isLoopback: ipAddress?.isLoopback ?? false,
            isTrustedProxy: ipAddress.map(self.loop.trustedProxies.contains) ?? false
        )
        self.loop.add(self)
        if self.loop.isDraining { self.drain(now: self.now) }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.closed()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.closed()
        self.loop.remove(self)
        self.context = nil
        self.reader.dropAll()
        self.output = nil
        // Nobody is left to answer it. If the last responder goes later, this connection is never freed.
        if isKnownUniquelyReferenced(&self.request) { self.request.destination = .none }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The end of input follows, as without TLS.
        if TLSSignal.isMissingGoodbye(error) { return }
        if let failure = HandshakeFailure(error) { self.loop.observer.handshakeEnded(failure: failure.kind) }
        switch self.machine.phase {
        case .idle, .head, .waiting, .body, .answering: context.close(promise: nil)
        case .lingering, .closed: break
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.isWritable = context.channel.isWritable
        if self.isWritable {
            self.holder?.hasRoom()
            self.feed(now: MonotonicClock.nanoseconds())
        }
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        if self.demand == .nothing, !self.isWritable || self.reader.holdsBytes {
            self.readIsDue = true
            if !self.isWritable { self.reader.compact() }
        } else {
            context.read()
        }
    }
}

@available(*, unavailable)
extension HTTPConnectionHandler: Sendable {}
