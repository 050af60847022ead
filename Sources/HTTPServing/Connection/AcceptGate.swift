import NIOCore
import Synchronization

/// Limits a listener to its share of file descriptors, and keeps it from spinning when there are none.
///
/// A connection counts from its accept to its close, also while its event loop has not seen it yet or is closing it: a
/// burst is accepted faster than other loops refuse it. At the limit, further connections wait in the system's queue.
///
/// If no connection can be accepted, mostly because the process or the system has no file descriptor left, the listener
/// pauses: the waiting connection keeps its socket readable, and the event loop would try again immediately. NIO's own
/// `AcceptBackoffHandler` delays the next read that the pipeline requests, but leaves the channel registered for
/// reading. Confined to the listener's event loop, except for the counts.
final class AcceptGate: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never

    /// State that other event loops change.
    private final class Held: Sendable {
        let connections = Atomic<Int>(0)
        /// Whether a read waits for a connection to close.
        let isWithheld = Atomic<Bool>(false)
    }

    private let limit: Int
    private let pause: TimeAmount
    private let onFailure: () -> Void
    private let held = Held()
    private var isPaused = false

    /// - Parameters:
    ///   - limit: connections open at one time; the one that is refused and closed at once is one of them.
    ///   - onFailure: called when no connection could be accepted.
    init(limit: Int, pause: TimeAmount = .milliseconds(100), onFailure: @escaping () -> Void) {
        self.limit = limit
        self.pause = pause
        self.onFailure = onFailure
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let held = self.held
        let listener = context.channel
        held.connections.add(1, ordering: .sequentiallyConsistent)
        Self.unwrapInboundIn(data).closeFuture.whenComplete { _ in
            held.connections.subtract(1, ordering: .sequentiallyConsistent)
            if held.isWithheld.exchange(false, ordering: .sequentiallyConsistent) { listener.read() }
        }
        context.fireChannelRead(data)
    }

    func read(context: ChannelHandlerContext) {
        if self.held.connections.load(ordering: .sequentiallyConsistent) >= self.limit {
            self.held.isWithheld.store(true, ordering: .sequentiallyConsistent)
            // A connection may have closed before it could see that a read waits for it.
            guard self.held.connections.load(ordering: .sequentiallyConsistent) < self.limit,
                self.held.isWithheld.exchange(false, ordering: .sequentiallyConsistent)
            else { return }
        }
        context.read()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError, !self.isPaused else { return context.fireErrorCaught(error) }
        self.onFailure()
        self.isPaused = true
        let channel = context.channel
        channel.setOption(.autoRead, value: false).whenFailure { _ in channel.close(promise: nil) }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: self.pause) {
            bound.value.isPaused = false
            // Fails if the listener was closed meanwhile; then there is nothing to accept.
            channel.setOption(.autoRead, value: true).whenComplete { _ in }
        }
        context.fireErrorCaught(error)
    }
}

@available(*, unavailable)
extension AcceptGate: Sendable {}
