import HTTP1
import KeyValueStore
import NIOCore
import NIOHTTP1
import Synchronization

/// The engine. It exists only after the log has been replayed, because the service listens first.
final class EngineHolder: Sendable {
    private let held = Mutex<(any StorageEngine)?>(nil)

    var engine: (any StorageEngine)? { self.held.withLock { $0 } }
    /// The one in this process; nil if there is another one.
    var embedded: EmbeddedEngine? { self.engine as? EmbeddedEngine }
    func set(_ engine: any StorageEngine) { self.held.withLock { $0 = engine } }

    /// - Throws: 503 `starting` before there is one.
    func opened() throws(Problem) -> any StorageEngine {
        guard let engine = self.engine else { throw .starting(applied: nil) }
        return engine
    }

    /// - Throws: 503 `starting` before there is one.
    func openedLog() throws(Problem) -> EmbeddedEngine {
        guard let engine = self.embedded else { throw .starting(applied: nil) }
        return engine
    }
}

/// One event loop's session with the engine, opened at its first use. Confined to its loop.
final class LoopStore {
    private let eventLoop: any EventLoop
    private let holder: EngineHolder
    private var opened: (any StorageSession)?

    init(eventLoop: any EventLoop, holder: EngineHolder) {
        self.eventLoop = eventLoop
        self.holder = holder
    }

    /// Nil until the engine is open.
    var session: (any StorageSession)? {
        if let opened = self.opened { return opened }
        guard let engine = self.holder.engine else { return nil }
        let eventLoop = self.eventLoop
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let session = engine.makeSession(
            wake: { eventLoop.execute { bound.value.opened?.deliverCompletions() } },
            // Queued work of the loop runs after the connections that are readable now, so that all their writes reach
            // the writer together.
            endOfTurn: { eventLoop.execute { bound.value.opened?.flush() } })
        self.opened = session
        return session
    }
}

@available(*, unavailable)
extension LoopStore: Sendable {}
