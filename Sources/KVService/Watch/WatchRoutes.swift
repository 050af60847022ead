import AccessControl
import HTTP1
import HTTPServing
import KeyValueHTTP
import KeyValueStore
import NIOCore
import NIOHTTP1
import TransactionLog

/// `/kv/watch` of one event loop.
final class WatchRoutes {
    static let handlers = [HandlerDeclaration("kv_watch", [.get, .head], problems: ProblemKind.ofWatch)]

    private let eventLoop: any EventLoop
    private let holder: EngineHolder
    private let figures: WatchFigures
    private var openedHub: WatchHub?

    init(eventLoop: any EventLoop, holder: EngineHolder, figures: WatchFigures) {
        self.eventLoop = eventLoop
        self.holder = holder
        self.figures = figures
    }

    var routes: [Route] {
        [
            Route(
                path: "/kv/watch", handler: "kv_watch", kind: .data(isWrite: false), access: .role(.read),
                actions: [(.get, self.watch)])
        ]
    }

    private func watch(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let watch = try WatchRequest(of: request)
            let hub = try self.hub()
            guard let since = watch.since, since > hub.history.newestRevision else {
                return try self.begin(watch, hub, responder)
            }
            // Somebody may have been told of it before this service.
            let engine = try self.holder.opened()
            let waiting = NIOLoopBound((self, hub, responder), eventLoop: self.eventLoop)
            engine.catchUp(to: since) { [eventLoop] outcome in
                eventLoop.execute {
                    let (routes, hub, responder) = waiting.value
                    do throws(Problem) {
                        if outcome == .failed {
                            throw .failure(.unavailable("it does not send its changes"), applied: nil)
                        }
                        try routes.begin(watch, hub, responder)
                    } catch { responder.fail(error) }
                }
            }
        } catch {
            responder.fail(error)
        }
    }

    private func begin(_ watch: WatchRequest, _ hub: WatchHub, _ responder: Responder) throws(Problem) {
        let start = try Self.start(of: watch, hub.history)
        guard self.figures.take() else { throw WatchRequest.tooMany(limit: self.figures.limit) }
        self.begin(watch, from: start, hub, responder)
    }

    private func hub() throws(Problem) -> WatchHub {
        let engine = try self.holder.opened()
        guard let history = engine.history else { throw WatchRequest.disabled }
        if let failure = (engine as? EmbeddedEngine)?.statistics.failure {
            throw Problem(
                .serviceUnavailable, code: "store_failed",
                detail: "There are no changes until kv-service is restarted, because the log has failed: \(failure)")
        }
        if let hub = self.openedHub { return hub }
        let hub = WatchHub(eventLoop: self.eventLoop, history: history, figures: self.figures)
        self.openedHub = hub
        return hub
    }

    /// Where to begin; nil: from now on.
    private static func start(
        of watch: WatchRequest, _ history: ChangeHistory
    ) throws(Problem) -> ChangeHistory.Position? {
        guard let since = watch.since else { return nil }
        switch history.position(after: since, wantsPrevious: watch.selection.withPrevious) {
        case .at(let position): return position
        case .compacted(let oldest): throw WatchRequest.compacted(since: since, oldest: oldest)
        case .future(let newest): throw WatchRequest.future(since: since, newest: newest)
        }
    }

    private func begin(
        _ watch: WatchRequest, from start: ChangeHistory.Position?, _ hub: WatchHub, _ responder: Responder
    ) {
        let group = hub.join(watch.selection)
        let after = watch.since ?? hub.position.revision
        switch watch.mode {
        case .stream:
            let watcher = StreamWatcher(hub, group, responder, from: start, after: after)
            guard watcher.begin(revision: after) else {
                self.figures.release()
                return hub.leave(group)
            }
            hub.add(watcher)
            hub.isReady(watcher)
        case .poll(let wait, let limit):
            let watcher = PollWatcher(
                hub, group, responder, from: start ?? hub.position, after: after, limit: limit)
            watcher.wait(milliseconds: wait)
            hub.add(watcher)
            watcher.catchUp()
        }
    }
}

@available(*, unavailable)
extension WatchRoutes: Sendable {}
