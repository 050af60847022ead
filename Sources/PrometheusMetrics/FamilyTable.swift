/// The families of a registry, and the rules for registrations.
struct FamilyTable {
    /// In the order of their names.
    private(set) var sorted: [Family] = []
    /// Names of samples: a family's own in each format, and with every suffix that OpenMetrics adds for its type. Each
    /// belongs to one family.
    private var sampleNames: Set<[UInt8]> = []

    /// The instrument of the series, created if the series is new.
    mutating func register(
        name: String,
        help: String,
        labels: MetricsRegistry.Labels,
        kind: MetricKind,
        make: () -> Instrument
    ) -> Registration {
        guard let labels = LabelSet(labels, forHistogram: kind.isHistogram) else { return .conflict }
        let nameBytes = Array(name.utf8)
        let index = self.insertionIndex(nameBytes)
        if index < self.sorted.count, self.sorted[index].name == nameBytes {
            guard self.sorted[index].accepts(help: help, labels: labels, kind: kind) else { return .conflict }
            return self.sorted[index].register(labels, make: make)
        }
        guard MetricName.isValid(nameBytes), kind.hasValidBounds else { return .conflict }
        let samples = kind.sampleNames(nameBytes)
        guard self.sampleNames.isDisjoint(with: samples) else { return .conflict }
        self.sampleNames.formUnion(samples)
        var family = Family(name: nameBytes, help: help, labelNames: labels.names, kind: kind)
        let registration = family.register(labels, make: make)
        self.sorted.insert(family, at: index)
        return registration
    }

    mutating func removeSeries(withLabel label: (name: String, value: String)) {
        let (name, value) = (Array(label.name.utf8), Array(label.value.utf8))
        for index in self.sorted.indices { self.sorted[index].removeSeries(withLabel: name, value) }
    }

    private func insertionIndex(_ name: [UInt8]) -> Int {
        var low = 0
        var high = self.sorted.count
        while low < high {
            let middle = (low + high) / 2
            if self.sorted[middle].name.lexicographicallyPrecedes(name) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}

extension MetricKind {
    var isHistogram: Bool {
        if case .histogram = self { true } else { false }
    }

    fileprivate var hasValidBounds: Bool {
        guard case .histogram(let bounds, _) = self else { return true }
        return !bounds.isEmpty && bounds.allSatisfy(\.isFinite)
            && zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }
    }

    fileprivate func sampleNames(_ name: [UInt8]) -> Set<[UInt8]> {
        let suffixes: [String] =
            switch self {
            case .histogram: ["_bucket", "_sum", "_count", "_created"]
            case .counter: ["_total", "_created"]
            case .gauge: []
            }
        let family = self.openMetricsName(name)
        return Set([name, family] + suffixes.map { family + $0.utf8 })
    }
}
