import HTTP1
import KeyValueStore
import NIOCore
import NIOHTTP1
import Synchronization

/// The engine. It exists only after the log has been replayed, because the service listens first.
final class EngineHolder: Sendable {
    private let held = Mutex<EmbeddedEngine?>(nil)

    var engine: EmbeddedEngine? { self.held.withLock { $0 } }
    func set(_ engine: EmbeddedEngine) { self.held.withLock { $0 = engine } }

    /// - Throws: 503 `starting` before there is one.
    func opened() throws(Problem) -> EmbeddedEngine {
        guard let engine = self.engine else { throw .starting(applied: nil) }
        return engine
    }
}

extension Problem {
    /// - Parameter applied: of a write.
    static func starting(applied: Applied?) -> Problem {
        Problem(
            .serviceUnavailable, code: "starting", detail: "The store is not open yet; /readyz shows the progress.",
            applied: applied, headers: [("Retry-After", "1")])
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
