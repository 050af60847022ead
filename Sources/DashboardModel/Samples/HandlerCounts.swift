/// The counters of one HTTP handler at one moment, over all methods.
public struct HandlerCounts: Sendable, Equatable {
    public var name: String
    public var requests: Double = 0
    /// The requests that kvtop itself sent, as far as it knows.
    public var ownRequests: Double = 0
    /// Answers 400 to 499.
    public var clientErrors: Double = 0
    /// Answers 500 to 599.
    public var serverErrors: Double = 0
    /// In seconds.
    public var durations = HistogramCounts()

    public init(name: String) {
        self.name = name
    }

    /// Whether it serves the store's data. Other handlers answer probes, scrapes and this dashboard.
    public var servesData: Bool { Self.servesData(self.name) }

    public static func servesData(_ name: String) -> Bool {
        name.hasPrefix("kv_") || name.hasPrefix("api_")
    }

    /// Requests of other clients.
    public var traffic: Double { max(0, self.requests - self.ownRequests) }

    /// The difference to `earlier`. Nil if a counter decreased: the two are from different runs of the service.
    func minus(_ earlier: HandlerCounts) -> HandlerCounts? {
        guard let durations = self.durations.minus(earlier.durations) else { return nil }
        var difference = HandlerCounts(name: self.name)
        difference.requests = self.requests - earlier.requests
        difference.ownRequests = self.ownRequests - earlier.ownRequests
        difference.clientErrors = self.clientErrors - earlier.clientErrors
        difference.serverErrors = self.serverErrors - earlier.serverErrors
        difference.durations = durations
        guard difference.requests >= 0, difference.clientErrors >= 0, difference.serverErrors >= 0 else { return nil }
        return difference
    }

    /// The sum of both, under the name of this one.
    func plus(_ other: HandlerCounts) -> HandlerCounts {
        var total = self
        total.requests += other.requests
        total.ownRequests += other.ownRequests
        total.clientErrors += other.clientErrors
        total.serverErrors += other.serverErrors
        total.durations = self.durations.plus(other.durations)
        return total
    }
}
