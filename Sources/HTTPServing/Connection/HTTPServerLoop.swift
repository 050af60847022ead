import HTTP1
import JSON
import NIOCore
import NIOHTTP1
import RequestTracing
import Synchronization
import SystemSupport

/// What the connections of one event loop share: routes, the observer, the date, buffers, and the sweep that looks at
/// their deadlines. Confined to its loop.
final class HTTPServerLoop {
    /// A buffer larger than this is freed instead of being kept.
    private static let keptBufferBytes = 262_144
    private static let keptBuffers = 4
    private static let keptRecords = 1_024

    let limits: HTTPServer.Limits
    let timeouts: ConnectionMachine.Timeouts
    let writeTimeoutNanoseconds: UInt64
    let trustedProxies: TrustedProxies
    let admission: HTTPServer.Admission
    /// Nil if the service has no access keys.
    let access: HTTPServer.Access?
    let observer: any RequestObserver
    /// The observer's.
    let counters: LoopCounters
    let routes: RouteTable
    let encoder = ResponseEncoder()
    private(set) var isDraining = false
    /// Whether a sweep has not come to its end.
    private var isSweeping = false

    let eventLoop: any EventLoop
    private let sampler: TraceSampler?
    private var identities = RequestIdentityGenerator()
    private var connections: [HTTPConnectionHandler] = []
    private var buffers: [ByteBuffer] = []
    /// The document of one answer at a time.
    private var document = JSONWriter(reservingBytes: 1_024)
    private var records: [HTTPRequest] = []
    /// Whether something is to be done at the end of this turn, and the observer will be told of it.
    private var endsTurn = false
    private var fedAtEndOfTurn: [HTTPConnectionHandler] = []
    private var sweepTask: RepeatedTask?
    /// Wall clock minus monotonic clock, renewed by the sweep: saves a look at the clock for every request.
    private(set) var wallClockOffset: UInt64 = 0

    init(
        eventLoop: any EventLoop,
        limits: HTTPServer.Limits,
        observer: any ServerObserver,
        admission: @escaping HTTPServer.Admission,
        access: HTTPServer.Access?,
        routes: [Route]
    ) {
        self.eventLoop = eventLoop
        self.limits = limits
        self.timeouts = limits.timeouts
        self.writeTimeoutNanoseconds = HTTPServer.Limits.nanoseconds(limits.writeTimeout)
        self.trustedProxies = TrustedProxies(limits.trustedProxies)
        self.sampler = observer.sampler
        let observer = observer.makeLoopObserver()
        self.observer = observer
        self.counters = observer.counters
        self.admission = admission
        self.access = access
        self.routes = RouteTable(routes, handlerIndex: { observer.index(ofHandler: $0) })
        self.refreshClocks(now: MonotonicClock.nanoseconds())
    }

    // MARK: Connections

    func add(_ connection: HTTPConnectionHandler) {
        connection.position = self.connections.count
        self.connections.append(connection)
        self.counters.connections.wrappingAdd(1, ordering: .relaxed)
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
        self.counters.connections.wrappingSubtract(1, ordering: .relaxed)
    }

    func startSweeping() {
        let interval = TimeAmount.nanoseconds(Int64(HTTPServer.Limits.nanoseconds(self.limits.sweepInterval)))
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.sweepTask = self.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            bound.value.sweep(now: MonotonicClock.nanoseconds())
        }
    }

    func stopSweeping() {
        self.sweepTask?.cancel()
        self.sweepTask = nil
    }

    private func sweep(now: UInt64) {
        self.refreshClocks(now: now)
        self.observer.sweep(now: now)
        if !self.isSweeping { self.sweep(now: now, from: self.connections.count - 1) }
    }

    /// Thousands of connections may end at a time: after a millisecond the requests on others come first.
    ///
    /// - Parameter last: the index of the connection to begin with. From the end, because the last connection takes the place
    ///   of one that closes.
    private func sweep(now: UInt64, from last: Int) {
        let pause = MonotonicClock.nanoseconds() &+ 1_000_000
        var index = min(last, self.connections.count - 1)
        while index >= 0 {
            if index < self.connections.count { self.connections[index].sweep(now: now) }
            index -= 1
            guard index & 15 == 0, MonotonicClock.nanoseconds() > pause else { continue }
            self.isSweeping = true
            // What is executed now comes before anything is read.
            self.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(1)) { [index] in
                self.sweep(now: MonotonicClock.nanoseconds(), from: index)
            }
            return
        }
        self.isSweeping = false
    }

    func drain() {
        self.isDraining = true
        let now = MonotonicClock.nanoseconds()
        for connection in self.connections { connection.drain(now: now) }
        // Not left to the next sweep: a stop should not take longer than necessary.
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.eventLoop.scheduleTask(in: .nanoseconds(Int64(self.timeouts.drain))) {
            bound.value.sweep(now: MonotonicClock.nanoseconds())
        }
    }

    /// Ends all running requests.
    ///
    /// - Returns: how many were cut off.
    func cutAll() -> Int {
        let connections = self.connections
        return connections.reduce(0) { $0 + $1.cut() }
    }

    /// Closes all connections.
    ///
    /// - Returns: the number of connections on which bytes of answers were lost.
    func closeAll() -> Int {
        let connections = self.connections
        return connections.reduce(0) { $0 + ($1.close() ? 1 : 0) }
    }

    private func refreshClocks(now: UInt64) {
        let wallClock = WallClock.nanoseconds()
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

    /// Makes a document, and passes its bytes on, which are valid only during the call.
    func withDocument<Result>(
        _ write: (inout JSONWriter) -> Void, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        self.document.removeAll(keepingAtMost: Self.keptBufferBytes)
        write(&self.document)
        return unsafe self.document.bytes.withUnsafeBytes(body)
    }

    // MARK: Requests

    /// Gives a request its ids: those of the client if they are valid. No trace begins with a probe or a scrape.
    ///
    /// - Parameter head: the bytes of the request's head.
    func identify(_ request: HTTPRequest, head: Span<UInt8>) {
        let id = Self.sentID(request.fields.requestID, in: head) ?? self.identities.requestID()
        let trace: TraceContext
        if let received = request.fields.trace {
            let state = request.fields.tracestateCount == 0 ? nil : Self.traceState(request)
            trace = self.identities.continueTrace(received, state: state)
        } else {
            trace = self.identities.beginTrace(sampler: request.route?.isProbe == true ? nil : self.sampler)
        }
        request.identity = RequestIdentity(
            id: id, trace: trace, isRecorded: self.sampler != nil && trace.isSampled)
        request.wallClockOffset = self.wallClockOffset
    }

    /// Nil unless the client has sent one id, and it is valid.
    private static func sentID(_ sent: HeadFields.Occurrence, in head: Span<UInt8>) -> String? {
        guard sent.count == 1, (1...128).contains(sent.value.count) else { return nil }
        let id = head.extracting(sent.value)
        for index in id.indices where !ASCII.isIdentifierCharacter(id[index]) { return nil }
        return ASCII.string(id)
    }

    private static func traceState(_ request: HTTPRequest) -> String? {
        TraceContext.acceptedState(request.headers.values(of: "tracestate").joined(separator: ","))
    }

    func newIdentity() -> RequestIdentity {
        let trace = self.identities.beginTrace(sampler: self.sampler)
        return RequestIdentity(id: self.identities.requestID(), trace: trace, isRecorded: trace.isSampled)
    }

    /// Has the observer count and log an answered request.
    func answered(_ request: HTTPRequest, status: UInt, bodyBytes: Int, now: UInt64) {
        let figures = AnswerFigures(
            status: status,
            bodyBytes: request.method == .head ? 0 : bodyBytes,
            answeredAtNanoseconds: now,
            wallClockOffset: self.wallClockOffset
        )
        self.observer.answered(request, figures)
        if self.endsTurn { return }
        self.endsTurn = true
        // Queued work of the loop runs after the connections that are ready now.
        self.eventLoop.assumeIsolated().execute { self.turnEnded() }
    }

    /// Has a connection process its input and send its answers at the end of this turn, in which a request was answered:
    /// the next answer of the connection may come in the same turn.
    func feedAtEndOfTurn(_ connection: HTTPConnectionHandler) {
        if connection.isFedLater { return }
        connection.isFedLater = true
        self.fedAtEndOfTurn.append(connection)
    }

    private func turnEnded() {
        while let connection = self.fedAtEndOfTurn.popLast() {
            connection.isFedLater = false
            connection.feed(now: MonotonicClock.nanoseconds())
        }
        self.endsTurn = false
        self.observer.turnEnded()
    }

    // MARK: Records

    /// A record for a request that follows one without an answer; return it with ``recycle(_:)`` once that has one.
    func takeRecord(client: ConnectionClient) -> HTTPRequest {
        guard let record = self.records.popLast() else { return HTTPRequest(eventLoop: self.eventLoop, client: client) }
        record.client = client
        return record
    }

    /// - Precondition: it is answered, by its action unless that has let go of it.
    func recycle(_ record: HTTPRequest) {
        guard self.records.count < Self.keptRecords else { return }
        self.records.append(record)
    }
}

@available(*, unavailable)
extension HTTPServerLoop: Sendable {}
