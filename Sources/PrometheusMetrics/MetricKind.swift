/// The type of a family; histograms of one family have the same bounds.
enum MetricKind: Equatable {
    case counter
    case gauge
    case histogram(bounds: [Double])

    /// As the `TYPE` line spells it.
    var typeName: String {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }
}

/// Where the value of a series comes from.
enum Instrument: Sendable {
    case counter(Counter)
    case gauge(Gauge)
    case histogram(Histogram)
    case read(@Sendable () -> Double)
}

/// What came of a registration that was possible.
struct Registration {
    let instrument: Instrument
    /// Whether the series wasn't known before.
    let isNew: Bool
}
