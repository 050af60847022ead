import Synchronization

/// The metrics of a process, and what Prometheus reads of them in each ``ExpositionFormat``.
///
/// Metrics are registered once, at the start or when a series first occurs, and the handles kept; recording through a
/// handle takes no lock. Families are rendered in the order of their names, the series of a family in the order of
/// their label values; the order of labels in a call is of no meaning.
///
/// A registration that contradicts an earlier one, or isn't allowed by the format, never stops the program: it is
/// counted in `metrics_registration_conflicts_total`, and the handle returned works but isn't shown. Such are:
/// - a name or label name that the format doesn't allow, a label twice, `le` on a histogram;
/// - a known name with another type, help, set of label names or bounds;
/// - a name that another family's samples have in one of the formats, such as a histogram's `_count`, or a counter's
///   name without `_total`;
/// - bounds that don't ascend or aren't finite;
/// - a known series that is read at the scrape, registered again.
///
/// The same goes for more than ``seriesLimit`` series of one family, which are counted in
/// `metrics_series_overflow_total`.
///
/// All methods may be called on any thread.
package final class MetricsRegistry: Sendable {
    package typealias Labels = [(name: String, value: String)]

    /// The most series of one family. Label values are few and known; one that grows without end is a defect.
    static let seriesLimit = 1_000

    private struct State {
        var families = FamilyTable()
        var hooks: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())
    private let conflicts = Counter()
    private let overflows = Counter()

    package init() {
        let own = [
            (
                "metrics_registration_conflicts_total", self.conflicts,
                "Registrations of metrics that contradict an earlier one or the format; their series are not shown."
            ),
            (
                "metrics_series_overflow_total", self.overflows,
                "Registrations of series beyond the limit of a family; what they count is not shown."
            ),
        ]
        for (name, counter, help) in own {
            _ = self.register(name, help: help, labels: [], kind: .counter, make: { .counter(counter) })
        }
    }

    /// The counter of this name and these labels, which begins at 0 and is made if it is new.
    /// - Parameter name: with the suffix `_total`.
    package func counter(_ name: String, help: String, labels: Labels = []) -> Counter {
        let instrument = self.register(name, help: help, labels: labels, kind: .counter) { .counter(Counter()) }
        switch instrument {
        case .counter(let counter)?: return counter
        case nil: break
        default: self.conflicts.increment()
        }
        return Counter()
    }

    /// The gauge of this name and these labels, which begins at 0 and is made if it is new.
    package func gauge(_ name: String, help: String, labels: Labels = []) -> Gauge {
        let instrument = self.register(name, help: help, labels: labels, kind: .gauge) { .gauge(Gauge()) }
        switch instrument {
        case .gauge(let gauge)?: return gauge
        case nil: break
        default: self.conflicts.increment()
        }
        return Gauge()
    }

    /// The histogram of this name and these labels, which is made if it is new.
    /// - Parameters:
    ///   - bounds: upper bounds of the buckets, ascending and finite; the bucket for all else is added.
    ///   - isNative: whether the protobuf form has a native histogram beside the buckets.
    package func histogram(
        _ name: String,
        help: String,
        labels: Labels = [],
        bounds: [Double] = Histogram.durationBounds,
        isNative: Bool = false
    ) -> Histogram {
        let kind = MetricKind.histogram(bounds: bounds, isNative: isNative)
        let instrument = self.register(name, help: help, labels: labels, kind: kind) {
            .histogram(Histogram(bounds: bounds, isNative: isNative))
        }
        switch instrument {
        case .histogram(let histogram)?: return histogram
        case nil: break
        default: self.conflicts.increment()
        }
        return Histogram(bounds: bounds)
    }

    /// A counter that some other part keeps. `read` is called at each scrape, on the thread that renders; it must be
    /// quick, must not block, and never return less than before.
    package func counter(
        _ name: String,
        help: String,
        labels: Labels = [],
        read: @escaping @Sendable () -> Double
    ) {
        self.register(name, help: help, labels: labels, kind: .counter, read: read)
    }

    /// A gauge that some other part keeps. `read` is called at each scrape, on the thread that renders; it must be
    /// quick and must not block.
    package func gauge(
        _ name: String,
        help: String,
        labels: Labels = [],
        read: @escaping @Sendable () -> Double
    ) {
        self.register(name, help: help, labels: labels, kind: .gauge, read: read)
    }

    /// Calls `hook` at the beginning of each rendering, in the order of registration: for values that are best read
    /// together. It must be quick and must not block.
    func beforeRender(_ hook: @escaping @Sendable () -> Void) {
        self.state.withLock { $0.hooks.append(hook) }
    }

    /// Appends all metrics in a format. Recording goes on meanwhile; no lock is held but to see what is registered.
    package func render(_ format: ExpositionFormat = .text, into bytes: inout [UInt8]) {
        for hook in self.state.withLock({ $0.hooks }) {
            hook()
        }
        for family in self.state.withLock({ $0.families.sorted }) {
            family.render(format, into: &bytes)
        }
        if format == .openMetrics { bytes += "# EOF\n".utf8 }
    }

    package func render(_ format: ExpositionFormat = .text) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64 << 10)
        self.render(format, into: &bytes)
        return bytes
    }

    private func register(
        _ name: String,
        help: String,
        labels: Labels,
        kind: MetricKind,
        read: @escaping @Sendable () -> Double
    ) {
        var isNew = false
        let instrument = self.register(name, help: help, labels: labels, kind: kind) {
            isNew = true
            return .read(isCounter: kind == .counter, read)
        }
        if instrument != nil, !isNew { self.conflicts.increment() }
    }

    /// Returns nil, and counts it, when the series can't be shown.
    private func register(
        _ name: String,
        help: String,
        labels: Labels,
        kind: MetricKind,
        make: () -> Instrument
    ) -> Instrument? {
        let registration = self.state.withLock { state in
            state.families.register(name: name, help: help, labels: labels, kind: kind, make: make)
        }
        switch registration {
        case .made(let instrument): return instrument
        case .conflict: self.conflicts.increment()
        case .tooMany: self.overflows.increment()
        }
        return nil
    }
}
