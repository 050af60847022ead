import AccessControl
import HTTP1
public import HTTPServing
import NIOCore
import NIOHTTP1
import NIOPosix
public import PrometheusMetrics
import Synchronization
import SystemSupport

/// `GET /metrics`: the whole registry, in the format that the scraper requests.
///
/// The text is built and compressed on a thread of NIO's pool, so that a scrape delays no request.
public final class MetricsScrape: Sendable {
    private let registry: MetricsRegistry
    private let durationNanoseconds = Atomic<UInt64>(0)

    /// - Parameter registry: must not contain `metrics_scrape_duration_seconds` yet.
    public init(registry: MetricsRegistry) {
        self.registry = registry
        registry.gauge(
            "metrics_scrape_duration_seconds",
            help: "Time that the service took to write the previous scrape."
        ) { [weak self] in Double(self?.durationNanoseconds.load(ordering: .relaxed) ?? 0) / 1e9 }
    }

    /// `GET /metrics`.
    public var route: Route {
        Route(
            path: "/metrics", handler: "metrics", kind: .probe, access: .role(.monitor), actions: [(.get, self.answer)])
    }

    private func answer(_ request: HTTPRequest, _ responder: Responder) {
        let form = MetricsForm(accept: request.headers)
        let compresses = Gzip.isAccepted(request.headers)
        let bound = NIOLoopBound(responder, eventLoop: responder.eventLoop)
        NIOThreadPool.singleton.runIfActive(eventLoop: responder.eventLoop) {
            self.response(form, compresses: compresses)
        }.whenComplete { result in
            switch result {
            case .success(let response): bound.value.respond(response)
            case .failure: bound.value.fail(.unanswered(isWrite: false))
            }
        }
    }

    private func response(_ form: MetricsForm, compresses: Bool) -> HTTPResponse {
        let began = MonotonicClock.nanoseconds()
        var body = self.registry.render(form.format)
        var headers: [(name: StaticString, value: String)] = [("Vary", "Accept, Accept-Encoding")]
        if compresses, let compressed = Gzip.compress(body) {
            body = compressed
            headers.append(("Content-Encoding", "gzip"))
        }
        self.durationNanoseconds.store(MonotonicClock.nanoseconds() - began, ordering: .relaxed)
        return HTTPResponse(status: .ok, contentType: form.contentType, headers: headers, body: .bytes(body))
    }
}
