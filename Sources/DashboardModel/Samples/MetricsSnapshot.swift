/// The figures of one scrape of `/metrics` that the dashboard shows. Nil: the service does not report it.
public struct MetricsSnapshot: Sendable, Equatable {
    /// By name, ascending.
    public var handlers: [HandlerCounts] = []
    /// Gauges and counters by their names, all series of one name added up; without those of single handlers.
    private var numbers: [String: Double] = [:]

    // kv-service
    /// Writes whose condition or check was not met.
    public var unmetWrites: Double?
    /// Watchers that were cut because they read too slowly.
    public var laggingWatchers: Double?
    public var writeDurations = HistogramCounts()
    public var syncDurations = HistogramCounts()
    public var commitDurations = HistogramCounts()
    public var commitTransactions = HistogramCounts()

    // api-gateway
    /// Failures of its requests to kv-service that were timeouts.
    public var upstreamTimeouts: Double?
    /// Watches that ended because kv-service was lost.
    public var lostWatches: Double?
    public var overheadDurations = HistogramCounts()
    public var upstreamDurations = HistogramCounts()

    public init() {}

    /// A gauge or a counter. A panel that shows a metric names it here, as Docs/Metrics.md has it; nothing else is needed.
    public subscript(_ metric: String) -> Double? {
        get { self.numbers[metric] }
        set { self.numbers[metric] = newValue }
    }

    /// Parses a Prometheus text exposition. Unknown families are skipped.
    ///
    /// - Throws: the first malformed line, or an error if the text has no sample of a request counter: then the target
    ///   is not one of these services.
    public init(parsing text: [UInt8]) throws(ExpositionError) {
        var reader = ExpositionReader(text, isWanted: Self.isWanted)
        var handlers: [String: HandlerCounts] = [:]
        var samples = 0
        while let sample = try reader.next() {
            samples += 1
            if Self.httpNames.contains(sample.name) {
                self.takeHTTP(sample, &handlers)
            } else {
                self.take(sample)
            }
        }
        guard samples > 0 else { throw ExpositionError(line: 1, reason: "it contains no metric of a service") }
        self.handlers = handlers.values.sorted { $0.name < $1.name }
    }

    private mutating func takeHTTP(_ sample: ExpositionReader.Sample, _ handlers: inout [String: HandlerCounts]) {
        switch sample.name {
        case "http_requests_total":
            // As many handlers as a service has routes; a body with more is not from one of these services.
            let handler = sample["handler"]
            guard handlers[handler] != nil || handlers.count < 64 else { return }
            handlers[handler, default: HandlerCounts(name: handler)].add(
                requests: sample.value, status: sample["status"])
        case "http_request_duration_seconds_bucket":
            guard let bound = ExpositionReader.bound(sample["le"]) else { return }
            let handler = sample["handler"]
            guard handlers[handler] != nil || handlers.count < 64 else { return }
            handlers[handler, default: HandlerCounts(name: handler)].durations.add(bound: bound, count: sample.value)
        case "http_request_duration_seconds_sum": handlers[sample["handler"]]?.durations.sum += sample.value
        default: break
        }
    }

    private mutating func take(_ sample: ExpositionReader.Sample) {
        if Self.isNumber(sample.name) {
            self.numbers[sample.name, default: 0] += sample.value
            if let (label, value, sum) = Self.partialSums[sample.name], sample[label] == value {
                self[keyPath: sum] = (self[keyPath: sum] ?? 0) + sample.value
            }
        } else if sample.name.hasSuffix("_bucket") {
            let family = String(sample.name.dropLast(7))
            guard let histogram = Self.histograms[family], let bound = ExpositionReader.bound(sample["le"]) else {
                return
            }
            self[keyPath: histogram].add(bound: bound, count: sample.value)
        } else if sample.name.hasSuffix("_sum") {
            guard let histogram = Self.histograms[String(sample.name.dropLast(4))] else { return }
            self[keyPath: histogram].sum += sample.value
        }
    }

    private static func isWanted(_ name: String) -> Bool {
        if self.isNumber(name) || self.httpNames.contains(name) { return true }
        if name.hasSuffix("_bucket") { return self.histograms[String(name.dropLast(7))] != nil }
        if name.hasSuffix("_sum") { return self.histograms[String(name.dropLast(4))] != nil }
        return false
    }

    /// Whether it is a gauge or a counter of a service, and no figure of a single handler.
    private static func isNumber(_ name: String) -> Bool {
        guard self.prefixes.contains(where: name.hasPrefix), !self.httpNames.contains(name) else { return false }
        return !["_bucket", "_sum", "_count"].contains(where: name.hasSuffix)
    }

    private static let prefixes = ["kv_", "gateway_", "http_", "process_"]

    private static let httpNames: Set<String> = [
        "http_requests_total", "http_request_duration_seconds_bucket", "http_request_duration_seconds_sum",
    ]

    /// Of these families the series with this value of a label are added up apart, too.
    private static let partialSums: [String: (label: String, value: String, sum: PartialSum)] = [
        "kv_operations_total": ("result", "unmet", \.unmetWrites),
        "kv_watch_cut_total": ("reason", "lagging", \.laggingWatchers),
        "gateway_upstream_failures_total": ("reason", "timeout", \.upstreamTimeouts),
        "gateway_watch_cut_total": ("reason", "upstream_lost", \.lostWatches),
    ]

    private typealias PartialSum = any WritableKeyPath<MetricsSnapshot, Double?> & Sendable

    private static let histograms: [String: any WritableKeyPath<MetricsSnapshot, HistogramCounts> & Sendable] = [
        "kv_log_write_duration_seconds": \.writeDurations,
        "kv_log_fsync_duration_seconds": \.syncDurations,
        "kv_log_commit_duration_seconds": \.commitDurations,
        "kv_log_batch_transactions": \.commitTransactions,
        "gateway_overhead_duration_seconds": \.overheadDurations,
        "gateway_upstream_request_duration_seconds": \.upstreamDurations,
    ]
}

extension HandlerCounts {
    mutating func add(requests: Double, status: String) {
        self.requests += requests
        switch status.utf8.first {
        case UInt8(ascii: "4"): self.clientErrors += requests
        case UInt8(ascii: "5"): self.serverErrors += requests
        default: break
        }
    }
}
