import HTTP1
import HTTPServing
import KeyValueHTTP
import PrometheusMetrics
import Synchronization

/// What all event loops need to forward watches. Any thread.
final class WatchForwarding: Sendable {
    let limits: UpstreamLimits
    let accessKey: UpstreamAccessKey?
    /// Maximum number of watches.
    let limit: Int
    /// How long kv-service may take to begin its answer.
    let timeoutNanoseconds: UInt64
    private let watchers = Atomic<Int>(0)
    private let cuts = Mutex<[WatchEvents.End: Counter]>([:])

    init(limits: UpstreamLimits, accessKey: UpstreamAccessKey? = nil, limit: Int, timeoutNanoseconds: UInt64) {
        self.limits = limits
        self.accessKey = accessKey
        self.limit = limit
        self.timeoutNanoseconds = timeoutNanoseconds
    }

    func register(in registry: MetricsRegistry) {
        registry.gauge("gateway_watchers", help: "Clients that watch the store through this gateway.") {
            Double(self.watchers.load(ordering: .relaxed))
        }
        for reason in [WatchEvents.End.draining, .upstreamLost, .moved] {
            let counter = registry.counter(
                "gateway_watch_cut_total", help: "Watches that the gateway ended, by reason.",
                labels: [("reason", reason.rawValue)])
            self.cuts.withLock { $0[reason] = counter }
        }
    }

    func cut(_ reason: WatchEvents.End) { self.cuts.withLock { $0[reason] }?.increment() }

    func release() { self.watchers.subtract(1, ordering: .relaxed) }

    /// The action of the route; on the event loop of the request, which is that of `upstreams`.
    func watch(_ request: HTTPRequest, _ responder: Responder, _ upstreams: LoopUpstreams) {
        do throws(Problem) {
            let watch = try WatchRequest(of: request)
            let upstream = try upstreams.upstream(of: watch.selection)
            guard self.watchers.add(1, ordering: .relaxed).newValue <= self.limit else {
                self.release()
                throw WatchRequest.tooMany(limit: self.limit)
            }
            WatchRelay(self, watch, responder, upstream, upstreams).start()
        } catch {
            responder.fail(error)
        }
    }
}
