public import HTTP1
public import NIOCore
import NIOHTTP1
public import NIOPosix
public import ServiceSettings
import Synchronization
import SystemSupport
public import TransportSecurity

/// An HTTP/1.1 server on one address.
///
/// ```
/// accept ─▶ AcceptGate ─▶ event loop ─▶ bytes ─▶ HTTPConnectionHandler ─▶ action
///           connections                           shape, limits, order, deadlines, answers
/// ```
///
/// A connection stays on the event loop to which it was assigned, and everything about it happens there: reading, the
/// action, the answer. The server's own methods may be called on any thread.
public final class HTTPServer: Sendable {
    /// Whether a request to a data route is taken now: nil, or the problem that it is answered. Called on event loops,
    /// for each such request: it must not block.
    public typealias Admission = @Sendable (_ isWrite: Bool) -> Problem?

    /// `TCP_NOTSENT_LOWAT`, for which NIO has no name.
    private static let unsentInSystem = NIOBSDSocket.Option(rawValue: 25)

    private struct State {
        var channel: (any Channel)?
        var loops: [ObjectIdentifier: NIOLoopBound<HTTPServerLoop>] = [:]
        var drained: EventLoopPromise<Void>?
    }

    private let group: MultiThreadedEventLoopGroup
    private let host: String
    private let port: Int
    private let inherited: Int32?
    private let tls: TLSEndpoint?
    private let limits: Limits
    private let observer: any ServerObserver
    private let admission: Admission
    private let access: Access?
    private let makeRoutes: @Sendable (any EventLoop) -> [Route]

    private let state = Mutex(State())
    private let isDraining = Atomic(false)
    private let openConnections = Atomic(0)
    private let rejectedConnections = Atomic(0)

    /// - Parameters:
    ///   - port: 0 takes any free port; ``start()`` returns it.
    ///   - inherited: descriptor of a socket that listens on `address` already; it belongs to the server.
    ///   - tls: nil for plain HTTP.
    ///   - observer: shared by all listeners of the service.
    ///   - admission: asked for each request to a data route.
    ///   - access: the access keys without which nobody gets more than the open routes; nil: everybody may use all routes.
    ///   - routes: called once on each event loop by ``start()``; what it returns is confined to that loop. Every
    ///     handler in it should be known to `observer`.
    public init(
        group: MultiThreadedEventLoopGroup,
        address: ListenAddress,
        inherited: Int32? = nil,
        tls: TLSEndpoint? = nil,
        limits: Limits = Limits(),
        observer: any ServerObserver,
        admission: @escaping Admission,
        access: Access?,
        routes: @escaping @Sendable (any EventLoop) -> [Route]
    ) {
        self.group = group
        self.host = address.host
        self.port = Int(address.port)
        self.inherited = inherited
        self.tls = tls
        self.limits = limits
        self.observer = observer
        self.admission = admission
        self.access = access
        self.makeRoutes = routes
    }

    /// Connections of this listener, including those being refused.
    public var connections: Int {
        self.openConnections.load(ordering: .relaxed) + self.rejectedConnections.load(ordering: .relaxed)
    }

    /// Listens. Requests may be answered before this returns.
    ///
    /// - Returns: the address, with the actual port.
    public func start() async throws(HTTPServerError) -> ListenAddress {
        let limits = self.limits
        let bootstrap = ServerBootstrap(group: self.group)
            .serverChannelOption(.backlog, value: 4_096)
            // If file descriptors are few, a turn accepts no more connections than it can refuse.
            .serverChannelOption(.maxMessagesPerRead, value: UInt(max(1, min(256, limits.rejectedConnections))))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let most = limits.connections + limits.rejectedConnections + 1
                    try channel.pipeline.syncOperations.addHandler(
                        AcceptGate(limit: most, onFailure: self.observer.acceptFailed))
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: HTTPConnectionHandler.unsentLimit)
            .childChannelOption(.tcpOption(Self.unsentInSystem), value: HTTPConnectionHandler.unsentInSystemBytes)
            // One buffer per turn, so that no more than one can wait behind an outstanding answer.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            // A client may close its sending half after its last request and still receives the answer.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.admit(channel, limits: limits) }
            }
        do {
            for eventLoop in self.group.makeIterator() {
                try await eventLoop.submit { self.prepare(eventLoop) }.get()
            }
            let channel =
                if let inherited = self.inherited {
                    try await bootstrap.withBoundSocket(inherited).get()
                } else {
                    try await bootstrap.bind(host: self.host, port: self.port).get()
                }
            self.state.withLock { $0.channel = channel }
            return ListenAddress(host: self.host, port: UInt16(channel.localAddress?.port ?? self.port))
        } catch {
            await self.stopSweeping()
            throw .addressNotBound(host: self.host, port: self.port, reason: Self.reason(error))
        }
    }

    /// What was lost at the end of a drain because its time limit passed.
    public struct Cut: Sendable, Equatable {
        /// Requests that were answered with 503 instead of being completed.
        public var requests = 0
        /// Connections that were closed before their clients had read the answers.
        public var responses = 0

        public init(requests: Int = 0, responses: Int = 0) {
            self.requests = requests
            self.responses = responses
        }

        public static func += (sum: inout Cut, other: Cut) {
            sum.requests += other.requests
            sum.responses += other.responses
        }
    }

    /// Stops accepting, closes connections without a request, and closes every other one after the requests that have
    /// been read from it are answered and the answers are sent. The last answer announces it.
    public func beginDrain() {
        guard !self.isDraining.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let (channel, loops) = self.state.withLock { ($0.channel, Array($0.loops.values)) }
        channel?.close(promise: nil)
        for loop in loops {
            loop.eventLoop.execute { loop.value.drain() }
        }
    }

    /// Waits until every connection is closed after ``beginDrain()``; closes the rest when the time limit passes.
    ///
    /// Requests that are still running are answered with 503 shortly before that, and the rest of the time is for their
    /// clients to read the answers. Connections above the limit are not waited for: they have been refused and have no
    /// request.
    ///
    /// - Returns: what was cut off.
    public func waitUntilDrained(timeout: Duration) async -> Cut {
        let promise = self.group.next().makePromise(of: Void.self)
        self.state.withLock { $0.drained = promise }
        self.completeDrainIfDone()
        let loops = self.state.withLock { Array($0.loops.values) }
        let watch = Task {
            let lastAnswers = min(timeout / 10, .milliseconds(500))
            try? await Task.sleep(for: timeout - lastAnswers)
            guard !Task.isCancelled else { return Cut() }
            var cut = Cut()
            for loop in loops {
                cut.requests += (try? await loop.eventLoop.submit { loop.value.cutAll() }.get()) ?? 0
            }
            try? await Task.sleep(for: lastAnswers)
            for loop in loops {
                cut.responses += (try? await loop.eventLoop.submit { loop.value.closeAll() }.get()) ?? 0
            }
            return cut
        }
        try? await promise.futureResult.get()
        watch.cancel()
        let cut = await watch.value
        await self.stopSweeping()
        return cut
    }

    private func stopSweeping() async {
        for loop in self.state.withLock({ Array($0.loops.values) }) {
            try? await loop.eventLoop.submit { loop.value.stopSweeping() }.get()
        }
    }

    private func prepare(_ eventLoop: any EventLoop) {
        let loop = HTTPServerLoop(
            eventLoop: eventLoop,
            limits: self.limits,
            observer: self.observer,
            admission: self.admission,
            access: self.access,
            routes: self.makeRoutes(eventLoop)
        )
        loop.startSweeping()
        let bound = NIOLoopBound(loop, eventLoop: eventLoop)
        self.state.withLock { $0.loops[ObjectIdentifier(eventLoop)] = bound }
    }

    private static func reason(_ error: any Error) -> String {
        (error as? IOError).map { ErrorNumber.text($0.errnoCode) } ?? String(describing: error)
    }
}

// MARK: - Connections

extension HTTPServer {
    /// Sets up an accepted connection; on its event loop.
    private func admit(_ channel: any Channel, limits: Limits) throws {
        self.observer.connectionAccepted()
        guard let loop = self.state.withLock({ $0.loops[ObjectIdentifier(channel.eventLoop)] })?.value else {
            throw ChannelError.inappropriateOperationForState
        }
        let open = self.openConnections.add(1, ordering: .acquiringAndReleasing).newValue
        guard open <= limits.connections else {
            self.openConnections.subtract(1, ordering: .acquiringAndReleasing)
            try self.reject(channel, loop: loop)
            return
        }
        channel.closeFuture.whenComplete { _ in
            self.openConnections.subtract(1, ordering: .acquiringAndReleasing)
            self.completeDrainIfDone()
        }
        let connection = HTTPConnectionHandler(loop: loop, now: NIODeadline.now().uptimeNanoseconds)
        try channel.pipeline.syncOperations.addHandler(connection)
        try self.tls?.secure(accepted: channel.pipeline.syncOperations)
    }

    private func reject(_ channel: any Channel, loop: HTTPServerLoop) throws {
        self.observer.connectionRejected()
        let rejected = self.rejectedConnections.add(1, ordering: .acquiringAndReleasing).newValue
        // A handshake would cost more than the request that is refused.
        guard rejected <= self.limits.rejectedConnections, self.tls == nil else {
            self.rejectedConnections.subtract(1, ordering: .acquiringAndReleasing)
            throw ChannelError.ioOnClosedChannel
        }
        channel.closeFuture.whenComplete { _ in
            self.rejectedConnections.subtract(1, ordering: .acquiringAndReleasing)
        }
        let problem = Problem.tooManyConnections(limit: self.limits.connections)
        let id = loop.newIdentity().id
        var answer = ByteBuffer()
        let response = problem.response(requestID: id)
        unsafe response.body.withBytes { body in
            unsafe loop.encoder.write(
                response.head, body: body, requestID: id, withoutBody: false, closes: true, keepAliveNamed: false,
                to: &answer)
        }
        let linger = TimeAmount.nanoseconds(Int64(Limits.nanoseconds(self.limits.lingerTimeout)))
        try channel.pipeline.syncOperations.addHandler(
            OverflowHandler(answer: answer, lingerTime: linger)
        )
    }

    private func completeDrainIfDone() {
        guard self.isDraining.load(ordering: .acquiring), self.openConnections.load(ordering: .acquiring) == 0 else {
            return
        }
        let promise = self.state.withLock { state in
            let promise = state.drained
            state.drained = nil
            return promise
        }
        promise?.succeed(())
    }
}
