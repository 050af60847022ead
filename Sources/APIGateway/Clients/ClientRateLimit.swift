import AccessControl
import HTTP1
import HTTPServing
import JSON
import NIOHTTP1
import PrometheusMetrics
import ServiceKit
import ServiceSettings
import Synchronization
import SystemSupport

/// Who sent a request, as far as its rate is concerned.
enum ClientIdentity: Hashable, Sendable {
    /// The name of an access key.
    case name(String)
    /// An IPv4 address, or the first 64 bits of an IPv6 address.
    case network(UInt128)

    /// The only place that decides this. Requests without an access key and without an address share one limit.
    init(of request: HTTPRequest) {
        self = request.client.entry.map { .name($0.name) } ?? .network(request.client.ipAddress?.network ?? 0)
    }
}

/// The limit of each client's requests, `--rate-limit`, for all event loops together. Any thread.
final class ClientRateLimit: Sendable {
    /// Nil without a limit.
    private let buckets: Mutex<TokenBuckets<ClientIdentity>?>
    private let isOn: Atomic<Bool>
    private let refusals: Counter

    /// - Parameter limits: nil for no limit.
    init(_ limits: TokenBuckets<ClientIdentity>.Limits?, registry: MetricsRegistry) {
        self.buckets = Mutex(limits.map { TokenBuckets(limits: $0) })
        self.isOn = Atomic(limits != nil)
        self.refusals = registry.counter(
            "gateway_rate_limited_total", help: "Requests refused because their client sent too many.")
        registry.gauge(
            "gateway_rate_limit_clients", help: "Clients whose rate is known; 0 without --rate-limit."
        ) { Double(self.count) }
        registry.counter(
            "gateway_rate_limit_forgotten_total",
            help: "Clients that were forgotten although they had sent requests shortly before: there are too many."
        ) { Double(self.buckets.withLock { $0?.forgotten } ?? 0) }
    }

    /// The limits of the settings; nil for no limit.
    static func limits(_ settings: ResolvedSettings) -> TokenBuckets<ClientIdentity>.Limits? {
        settings[GatewaySettings.rateLimit].map {
            .init(perSecond: $0, burst: settings[GatewaySettings.rateLimitBurst] ?? $0)
        }
    }

    /// Other limits, with which all clients begin anew.
    var reloads: ReloadPart {
        ReloadPart(settings: [GatewaySettings.rateLimit.name, GatewaySettings.rateLimitBurst.name]) { new in
            let limits = Self.limits(new)
            return {
                self.buckets.withLock { buckets in
                    guard buckets?.limits != limits else { return }
                    buckets = limits.map { TokenBuckets(limits: $0) }
                }
                self.isOn.store(limits != nil, ordering: .releasing)
            }
        }
    }

    private var count: Int { self.buckets.withLock { $0?.count } ?? 0 }

    /// Whether a request is refused: judged from its head, before its body is read.
    func refusal(of request: HTTPRequest) -> Problem? {
        guard self.isOn.load(ordering: .acquiring) else { return nil }
        let client = ClientIdentity(of: request)
        // Not the time at which the request was received: another event loop may be ahead of that.
        let wait = self.buckets.withLock { $0?.take(client, now: MonotonicClock.nanoseconds()) ?? nil }
        guard let wait else { return nil }
        self.refusals.increment()
        return .rateLimited(retryAfterSeconds: (wait + 999_999_999) / 1_000_000_000)
    }

    /// Appends the member `rate_limit` of `/admin`.
    func write(to document: inout JSONWriter) {
        let state = self.buckets.withLock { buckets in
            buckets.map { (limits: $0.limits, count: $0.count, forgotten: $0.forgotten) }
        }
        document.member(
            "rate_limit",
            object: { object in
                object.member("per_second", state?.limits.perSecond)
                object.member("burst", state?.limits.burst)
                object.member("clients", state?.count ?? 0)
                object.member("clients_max", state?.limits.maxClients ?? 0)
                object.member("forgotten_total", state?.forgotten ?? 0)
                object.member("refused_total", self.refusals.value)
            }
        )
    }
}

extension Problem {
    static let rateLimitedKind = ProblemKind(429, "rate_limited")

    /// - Parameter retryAfterSeconds: after so long one request is accepted, if the client sends none before.
    fileprivate static func rateLimited(retryAfterSeconds: UInt64) -> Problem {
        Problem(
            .tooManyRequests, code: Self.rateLimitedKind.code,
            detail: "This client sends more requests than --rate-limit allows; send fewer, and the next one later.",
            headers: [("Retry-After", String(retryAfterSeconds))])
    }
}
