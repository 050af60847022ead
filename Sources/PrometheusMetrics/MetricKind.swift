/// The type of a family; histograms of one family have the same bounds.
enum MetricKind: Equatable {
    case counter
    case gauge
    /// - Parameter isNative: whether there is a native form as well.
    case histogram(bounds: [Double], isNative: Bool)

    /// As written in the `TYPE` line.
    var typeName: String {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }

    /// The suffix of a counter's samples, which is not part of the family's name in OpenMetrics.
    static let counterSuffix = Array("_total".utf8)

    /// The name of the family in OpenMetrics: a counter's without `_total`.
    func openMetricsName(_ name: [UInt8]) -> [UInt8] {
        self == .counter && name.ends(with: Self.counterSuffix)
            ? Array(name.dropLast(Self.counterSuffix.count)) : name
    }

    /// As written by OpenMetrics, which has no counters without `_total`.
    func openMetricsTypeName(_ name: [UInt8]) -> String {
        self == .counter && !name.ends(with: Self.counterSuffix) ? "unknown" : self.typeName
    }
}

extension [UInt8] {
    func ends(with suffix: [UInt8]) -> Bool {
        self.count >= suffix.count && self.suffix(suffix.count).elementsEqual(suffix)
    }
}

/// The source of a series' value.
enum Instrument: Sendable {
    case counter(Counter)
    case gauge(Gauge)
    case histogram(Histogram)
    case read(isCounter: Bool, @Sendable () -> Double)
}

/// The result of a registration.
enum Registration {
    /// The series existed or was created.
    case made(Instrument)
    /// It contradicts an earlier one, or the format.
    case conflict
    /// The family has ``MetricsRegistry/seriesLimit`` series.
    case tooMany
}
