import HTTP1
import HTTPServing
import KeyValueHTTP
import NIOCore
import NIOHTTP1
import RequestTracing
import ServiceSettings
import SystemSupport
import TransportSecurity

/// One watch on its way through the gateway: a connection of its own to kv-service, whose answer is passed on as it comes.
/// Confined to its event loop.
///
/// ```
/// kv-service ──▶ this ──▶ client       The next bytes are read when the client's connection takes more, so neither
///      read ◀── has room ◀──┘          side waits in memory here.
/// ```
///
/// It says nothing about kv-service's health to the circuits, and is in no pool.
final class WatchRelay: ChannelInboundHandler, HeldRequest {
    typealias InboundIn = ByteBuffer

    private enum Phase: Equatable {
        case connecting, head
        /// An answer that is no stream arrives.
        case document
        case stream
        case ended
    }

    /// Failures on the way to kv-service; those of pools and circuits are not among them.
    static let problems = [
        ProblemKind(502, "upstream_unreachable"), ProblemKind(502, "upstream_reset"),
        ProblemKind(502, "upstream_invalid"), ProblemKind(504, "upstream_timeout"),
    ]

    /// kv-service sends something every 15 s. If there is nothing for so long, it or the way to it is gone.
    private static let silenceNanoseconds: UInt64 = 45_000_000_000

    private let forwarding: WatchForwarding
    let upstream: Upstream
    /// Those of the event loop.
    private let upstreams: LoopUpstreams
    private let watch: WatchRequest
    private let responder: Responder
    private var phase = Phase.connecting
    private var reader = UpstreamResponseReader()
    private var context: ChannelHandlerContext?
    private var stream: ResponseStream?
    /// The last two bytes that were passed on; an event ends with two line feeds.
    private var lastBytes: (UInt8, UInt8) = (10, 10)
    private var readIsDue = false
    /// Since before the stream began.
    private var haveKeysMoved = false
    private var silence = SilenceLimit(nanoseconds: WatchRelay.silenceNanoseconds, heardAt: 0)
    private var timer: Scheduled<Void>?

    init(
        _ forwarding: WatchForwarding, _ watch: WatchRequest, _ responder: Responder, _ upstream: Upstream,
        _ upstreams: LoopUpstreams
    ) {
        self.forwarding = forwarding
        self.upstream = upstream
        self.upstreams = upstreams
        self.watch = watch
        self.responder = responder
    }

    /// The changes of which keys.
    var selection: WatchRequest.Selection { self.watch.selection }

    func start() {
        if !self.upstream.accessNote.isEmpty { self.responder.request.accessNote = self.upstream.accessNote }
        self.upstreams.began(self)
        self.responder.hold(by: self)
        let connected = self.upstream.connector.connect(self, on: self.responder.eventLoop)
        connected.assumeIsolated().whenFailure { error in
            let reason = UpstreamFailure.connectReason(error)
            self.upstream.monitor.connectFailed(reason)
            self.fail(.connect(reason))
        }
    }

    // MARK: - From kv-service

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        guard self.phase == .connecting else { return context.close(promise: nil) }
        self.upstream.monitor.connected()
        self.phase = .head
        context.writeAndFlush(NIOAny(self.request()), promise: nil)
        context.read()
        var patience = self.forwarding.timeoutNanoseconds
        if case .poll(let wait, _) = self.watch.mode { patience += UInt64(wait) * 1_000_000 }
        self.limitSilence(patience)
    }

    private func request() -> ByteBuffer {
        let identity = self.responder.request.identity
        var buffer = ByteBuffer()
        buffer.writeStaticString("GET /kv/watch?")
        self.watch.writeQuery(to: &buffer)
        buffer.writeString(" HTTP/1.1\r\nHost: \(self.upstream.connector.address.authority)\r\n")
        buffer.writeString("X-Request-Id: \(identity.id)\r\ntraceparent: \(identity.trace.traceparent)\r\n")
        if let state = identity.trace.state { buffer.writeString("tracestate: \(state)\r\n") }
        if let accessKey = self.forwarding.accessKey {
            buffer.writeStaticString("Authorization: Bearer ")
            buffer.writeBytes(accessKey.text)
            buffer.writeStaticString("\r\n")
        }
        buffer.writeStaticString("\r\n")
        return buffer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.silence.heardAt = MonotonicClock.nanoseconds()
        self.reader.append(WatchRelay.unwrapInboundIn(data))
        do throws(UpstreamFailure) { try self.process() } catch { self.fail(error) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if self.phase == .ended { return }
        if let stream = self.stream, !stream.hasRoom {
            self.readIsDue = true
        } else {
            context.read()
        }
    }

    func channelInactive(context: ChannelHandlerContext) { self.fail(.reset(sent: true)) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.fail(HandshakeFailure(error).map { .connect($0.description) } ?? .reset(sent: true))
    }

    private func process() throws(UpstreamFailure) {
        if self.phase == .head {
            guard try self.reader.readHead(requestID: self.responder.request.id) else { return }
            try self.begin(self.reader.head)
        }
        switch self.phase {
        case .document:
            guard let response = try self.reader.readAnswer(limit: self.forwarding.limits.maxWatchBytes) else { return }
            let answer = try UpstreamAnswer.ofWatch(response, isPoll: self.watch.mode != .stream)
            self.answer(answer, status: response.head.status)
        case .stream:
            let last = try self.reader.readAnswer(limit: .max)
            self.pass(last?.body ?? self.reader.takeContent())
            if last != nil { self.end() }
        case .connecting, .head, .ended: break
        }
    }

    private func begin(_ head: UpstreamResponse.Head) throws(UpstreamFailure) {
        guard head.isDelimited else { throw .protocolError("an answer without a length") }
        guard head.status == 200, head.mediaType == .events else {
            guard head.contentLength ?? 0 <= self.forwarding.limits.maxWatchBytes else {
                throw .protocolError("an answer of \(head.contentLength ?? 0) bytes")
            }
            self.phase = .document
            return
        }
        guard head.isChunked, !head.hasOtherRequestID, self.watch.mode == .stream else {
            throw .protocolError("a stream that was not requested")
        }
        self.stream = self.responder.stream(ResponseHead(status: .ok, contentType: WatchEvents.contentType))
        if self.stream == nil { return self.close() }
        self.phase = .stream
        if self.haveKeysMoved { return self.end(.moved) }
        self.limitSilence(Self.silenceNanoseconds)
    }

    private func pass(_ content: ByteBuffer) {
        let count = content.readableBytes
        if count == 0 { return }
        let bytes = content.readableBytesUInt8Span
        self.lastBytes = (count > 1 ? bytes[count - 2] : self.lastBytes.1, bytes[count - 1])
        self.stream?.write(.init(content))
    }

    // MARK: - To the client

    private func answer(_ answer: UpstreamAnswer, status: Int) {
        self.close()
        self.responder.request.measures.add("upstream_status", .count(status))
        switch answer {
        case .document(let document, _):
            let head = ResponseHead(status: .ok, contentType: "application/json")
            unsafe document.withUnsafeReadableBytes { unsafe self.responder.respond(head, body: $0) }
        case .refused(let problem): self.responder.fail(problem)
        default: preconditionFailure("an answer to something else than a watch")
        }
    }

    private func fail(_ failure: UpstreamFailure) {
        switch self.phase {
        case .ended: return
        case .connecting, .head, .document:
            self.close()
            self.responder.fail(failure.problem(for: .keys, upstream: self.upstream))
        case .stream: self.end(.upstreamLost)
        }
    }

    /// Ends the client's stream, and says why if it is not within an event.
    private func end(_ reason: WatchEvents.End? = nil) {
        self.close()
        guard let stream = self.stream.take() else { return }
        if let reason { self.forwarding.cut(reason) }
        if reason != nil, self.lastBytes != (10, 10) { return stream.abort() }
        if let reason { stream.write(.init(WatchEvents.end(reason, revision: nil))) }
        stream.end()
    }

    private func close() {
        if self.phase == .ended { return }
        self.phase = .ended
        self.timer?.cancel()
        self.upstreams.ended(self)
        self.forwarding.release()
        self.context?.close(promise: nil)
    }

    // MARK: - HeldRequest

    func hasRoom() {
        guard self.readIsDue else { return }
        self.readIsDue = false
        self.silence.heardAt = MonotonicClock.nanoseconds()
        self.context?.read()
    }

    /// Nobody waits for the answer of a poll any more, but it comes soon, and is counted then.
    func clientGone() { if self.phase == .stream { self.end() } }

    func serverStops() {
        if self.phase == .stream { self.end(.draining) } else { self.fail(.stopping) }
    }

    // MARK: - Changes of the routes

    /// Another upstream has the keys now. A stream ends; a poll ends by itself.
    func keysMoved() {
        if self.phase == .stream { self.end(.moved) } else { self.haveKeysMoved = true }
    }

    // MARK: - Time

    private func limitSilence(_ nanoseconds: UInt64) {
        self.silence = SilenceLimit(nanoseconds: nanoseconds, heardAt: MonotonicClock.nanoseconds())
        self.checkSilence()
    }

    private func checkSilence() {
        if self.phase == .ended { return }
        let now = MonotonicClock.nanoseconds()
        // What waits for the client has not been read.
        if self.readIsDue { self.silence.heardAt = now }
        guard let wait = self.silence.remaining(now: now) else { return self.fail(.timeout(sent: true)) }
        self.timer?.cancel()
        let bound = NIOLoopBound(self, eventLoop: self.responder.eventLoop)
        self.timer = self.responder.eventLoop.scheduleTask(in: .nanoseconds(Int64(wait))) {
            bound.value.checkSilence()
        }
    }
}

@available(*, unavailable)
extension WatchRelay: Sendable {}
