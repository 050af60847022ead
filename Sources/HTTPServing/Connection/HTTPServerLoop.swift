import HTTP1
import JSON
import NIOCore
import NIOHTTP1
import RequestTracing
import Synchronization
import TraceExport

/// The shared state of the connections of one event loop: routes, metrics handles, the date, buffers, and the sweep
/// that checks their deadlines. Confined to its loop.
final class HTTPServerLoop {
    /// A buffer larger than this is freed instead of being kept.
    private static let keptBufferBytes = 262_144
    private static let keptBuffers = 4

    let limits: HTTPServer.Limits
    let timeouts: ConnectionMachine.Timeouts
    let writeTimeoutNanoseconds: UInt64
    let gate: ServiceGate
    let metrics: HTTPLoopMetrics
    private let slowRequests: SlowRequestsView
    let routes: RouteTable
    private(set) var encoder = ResponseEncoder()
    private(set) var isDraining = false

    private let eventLoop: any EventLoop
    private let accessLog: AccessLog
    private let tracer: Tracer?
    private var accessLine: AccessLineEncoder
    private var identities = RequestIdentityGenerator()
    private var connections: [HTTPConnectionHandler] = []
    private var buffers: [ByteBuffer] = []
    private var sweepTask: RepeatedTask?
    /// Wall clock minus monotonic clock, updated by the sweep: saves reading the wall clock for every access line.
    private var wallClockOffset: UInt64 = 0

    init(
        eventLoop: any EventLoop,
        limits: HTTPServer.Limits,
        metrics: HTTPMetrics,
        slowRequests: SlowRequests,
        accessLog: AccessLog,
        tracer: Tracer? = nil,
        gate: ServiceGate,
        routes: [Route]
    ) {
        self.eventLoop = eventLoop
        self.limits = limits
        self.timeouts = limits.timeouts
        self.writeTimeoutNanoseconds = HTTPServer.Limits.nanoseconds(limits.writeTimeout)
        self.metrics = metrics.makeView()
        self.slowRequests = slowRequests.makeView()
        self.accessLog = accessLog
        self.tracer = tracer
        self.accessLine = AccessLineEncoder(service: accessLog.service)
        self.gate = gate
        self.routes = RouteTable(routes, metricsIndex: metrics.handlerIndex)
        self.refreshClocks(now: Timestamp.monotonicNanoseconds())
    }

    // MARK: Connections

    func add(_ connection: HTTPConnectionHandler) {
        connection.position = self.connections.count
        self.connections.append(connection)
        self.metrics.counters.connections.wrappingAdd(1, ordering: .relaxed)
    }

    func remove(_ connection: HTTPConnectionHandler) {
        let position = connection.position
        guard position >= 0 else { return }
        connection.position = -1
        let last = self.connections.removeLast()
        if last !== connection {
            self.connections[position] = last
            last.position = position
        }
        self.metrics.counters.connections.wrappingSubtract(1, ordering: .relaxed)
    }

    func startSweeping() {
        let interval = TimeAmount.nanoseconds(Int64(HTTPServer.Limits.nanoseconds(self.limits.sweepInterval)))
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.sweepTask = self.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            bound.value.sweep(now: Timestamp.monotonicNanoseconds())
        }
    }

    func stopSweeping() {
        self.sweepTask?.cancel()
        self.sweepTask = nil
    }

    private func sweep(now: UInt64) {
        self.refreshClocks(now: now)
        self.metrics.metrics.rotateWindows(nowNanoseconds: now)
        self.slowRequests.rotate(nowNanoseconds: now)
        // From the end, because the last connection takes the place of one that closes.
        var index = self.connections.count - 1
        while index >= 0 {
            if index < self.connections.count { self.connections[index].sweep(now: now) }
            index -= 1
        }
    }

    func drain() {
        self.isDraining = true
        let now = Timestamp.monotonicNanoseconds()
        for connection in self.connections { connection.drain(now: now) }
        // Not left to the next sweep: a stop should not take longer than necessary.
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.eventLoop.scheduleTask(in: .nanoseconds(Int64(self.timeouts.drain))) {
            bound.value.sweep(now: Timestamp.monotonicNanoseconds())
        }
    }

    /// Ends all running requests.
    ///
    /// - Returns: how many were cut off.
    func cutAll() -> Int {
        let connections = self.connections
        return connections.reduce(0) { $0 + ($1.cut() ? 1 : 0) }
    }

    /// Closes all connections.
    ///
    /// - Returns: the number of connections on which bytes of answers were lost.
    func closeAll() -> Int {
        let connections = self.connections
        return connections.reduce(0) { $0 + ($1.close() ? 1 : 0) }
    }

    private func refreshClocks(now: UInt64) {
        let wallClock = Timestamp.wallClockNanoseconds()
        self.wallClockOffset = wallClock &- now
        self.encoder.refresh(wallClockNanoseconds: wallClock)
    }

    // MARK: Buffers

    /// An empty buffer for answers; return it with ``recycle(_:)`` after its write.
    func takeBuffer() -> ByteBuffer {
        guard var buffer = self.buffers.popLast() else { return ByteBufferAllocator().buffer(capacity: 4_096) }
        // Reuses the memory if the channel has written everything, otherwise allocates the same size.
        buffer.clear(minimumCapacity: 4_096)
        return buffer
    }

    func recycle(_ buffer: ByteBuffer) {
        guard self.buffers.count < Self.keptBuffers, buffer.capacity <= Self.keptBufferBytes else { return }
        self.buffers.append(buffer)
    }

    // MARK: Requests

    /// The ids of a request: those of the client if they are valid.
    ///
    /// - Parameter isProbe: a probe or a scrape; no trace begins with these.
    func identity(_ fields: HeadFields, isProbe: Bool) -> RequestIdentity {
        let id: String
        if let sent = fields.requestID, (1...128).contains(sent.utf8.count),
            sent.utf8.allSatisfy(ASCII.isIdentifierCharacter)
        {
            id = sent
        } else {
            id = self.identities.requestID()
        }
        let trace: TraceContext
        if let received = fields.trace {
            let state = fields.tracestate.flatMap(TraceContext.acceptedState)
            trace = self.identities.continueTrace(received, state: state)
        } else {
            trace = self.identities.beginTrace(sampler: isProbe ? nil : self.tracer?.sampler)
        }
        return RequestIdentity(id: id, trace: trace, isRecorded: self.tracer != nil && trace.isSampled)
    }

    func newIdentity() -> RequestIdentity {
        let trace = self.identities.beginTrace(sampler: self.tracer?.sampler)
        return RequestIdentity(id: self.identities.requestID(), trace: trace, isRecorded: trace.isSampled)
    }

    /// Counts and logs an answered request, and passes its spans on.
    ///
    /// - Parameters:
    ///   - client: the part of the access line about the client.
    ///   - peer: the client's address, as in that part.
    func record(
        _ request: RequestUnderWay,
        _ response: HTTPResponse,
        _ outcome: RequestOutcome,
        from client: @autoclosure () -> [UInt8],
        peer: String,
        now: UInt64
    ) {
        let entry = request.admission.entry
        let handler = entry?.metrics ?? self.metrics.otherHandler
        let status = response.status.code
        let responseBytes = request.method == .head ? 0 : response.body.count
        let duration = now &- request.receivedAtNanoseconds
        self.metrics.record(
            handler: handler,
            method: request.method,
            status: status,
            durationNanoseconds: duration,
            trace: request.identity.trace.mark(atNanoseconds: now &+ self.wallClockOffset),
            requestBytes: request.bodyBytes,
            responseBytes: responseBytes,
            failure: outcome.failure
        )
        if request.identity.isRecorded, let tracer = self.tracer {
            tracer.record(
                RequestSpans(
                    request,
                    status: status,
                    outcome,
                    peer: peer,
                    endedAt: now,
                    wallClockOffset: self.wallClockOffset
                )
            )
        }
        if self.slowRequests.isSlow(handler: handler, durationNanoseconds: duration) {
            self.slowRequests.note(
                SlowRequest(
                    request, status: status, outcome, handler: handler,
                    startedAtNanoseconds: request.receivedAtNanoseconds &+ self.wallClockOffset,
                    durationNanoseconds: duration, responseBytes: responseBytes))
        }
        let isProbe = entry?.isProbe == true
        guard self.accessLog.wants(status: status, isProbe: isProbe) else { return }
        let answer = AccessLineEncoder.Answer(
            wallClockNanoseconds: now &+ self.wallClockOffset,
            handler: self.metrics.handlerName(handler),
            isProbe: isProbe,
            status: status,
            durationNanoseconds: duration,
            responseBytes: responseBytes
        )
        self.accessLine.encode(request, answer, outcome, client: client())
        self.accessLog.submit(self.accessLine.line)
    }
}

@available(*, unavailable)
extension HTTPServerLoop: Sendable {}
