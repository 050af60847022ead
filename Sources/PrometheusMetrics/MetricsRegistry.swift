import Synchronization

/// The metrics of a process and their text for Prometheus (exposition format 0.0.4).
///
/// Metrics are registered once, at the start or when a series first occurs, and the handles kept; recording through a
/// handle takes no lock. Families are rendered in the order of their names, the series of a family in the order of
/// their label values; the order of labels in a call is of no meaning.
///
/// A registration that contradicts an earlier one, or isn't allowed by the format, never stops the program: it is
/// counted in `metrics_registration_conflicts_total`, and the handle returned works but isn't shown. Such are:
/// - a name or label name that the format doesn't allow, a label twice, `le` on a histogram;
/// - a known name with another type, help, set of label names or bounds;
/// - a name that is a histogram's `_bucket`, `_sum` or `_count`;
/// - bounds that don't ascend or aren't finite;
/// - a known series that is read at the scrape, registered again;
/// - more than ``seriesLimit`` series of one family.
///
/// All methods may be called on any thread.
package final class MetricsRegistry: Sendable {
    package typealias Labels = [(name: String, value: String)]

    /// The most series of one family. Label values are few and known; one that grows without end is a defect.
    package static let seriesLimit = 1_000
    package static let textContentType: StaticString = "text/plain; version=0.0.4; charset=utf-8"

    private struct State {
        var families = FamilyTable()
        var hooks: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())
    private let conflicts: Counter

    package init() {
        let conflicts = Counter()
        self.conflicts = conflicts
        _ = self.register(
            "metrics_registration_conflicts_total",
            help: "Registrations of metrics that contradict an earlier one or the format; their series are not shown.",
            labels: [],
            kind: .counter,
            make: { .counter(conflicts) }
        )
    }

    /// The counter of this name and these labels, which begins at 0 and is made if it is new.
    /// - Parameter name: with the suffix `_total`.
    package func counter(_ name: String, help: String, labels: Labels = []) -> Counter {
        let registration = self.register(name, help: help, labels: labels, kind: .counter) { .counter(Counter()) }
        if case .counter(let counter)? = registration?.instrument { return counter }
        self.conflicts.increment()
        return Counter()
    }

    /// The gauge of this name and these labels, which begins at 0 and is made if it is new.
    package func gauge(_ name: String, help: String, labels: Labels = []) -> Gauge {
        let registration = self.register(name, help: help, labels: labels, kind: .gauge) { .gauge(Gauge()) }
        if case .gauge(let gauge)? = registration?.instrument { return gauge }
        self.conflicts.increment()
        return Gauge()
    }

    /// The histogram of this name and these labels, which is made if it is new.
    /// - Parameter bounds: upper bounds of the buckets, ascending and finite; the bucket for all else is added.
    package func histogram(
        _ name: String,
        help: String,
        labels: Labels = [],
        bounds: [Double] = Histogram.durationBounds
    ) -> Histogram {
        let registration = self.register(name, help: help, labels: labels, kind: .histogram(bounds: bounds)) {
            .histogram(Histogram(bounds: bounds))
        }
        if case .histogram(let histogram)? = registration?.instrument { return histogram }
        self.conflicts.increment()
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
    package func beforeRender(_ hook: @escaping @Sendable () -> Void) {
        self.state.withLock { $0.hooks.append(hook) }
    }

    /// Appends the text of all metrics. Recording goes on meanwhile; no lock is held but to see what is registered.
    package func render(into text: inout [UInt8]) {
        for hook in self.state.withLock({ $0.hooks }) {
            hook()
        }
        for family in self.state.withLock({ $0.families.sorted }) {
            family.render(into: &text)
        }
    }

    package func render() -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(64 << 10)
        self.render(into: &text)
        return text
    }

    private func register(
        _ name: String,
        help: String,
        labels: Labels,
        kind: MetricKind,
        read: @escaping @Sendable () -> Double
    ) {
        let registration = self.register(name, help: help, labels: labels, kind: kind) { .read(read) }
        guard let registration, registration.isNew else {
            self.conflicts.increment()
            return
        }
    }

    /// Returns nil for a conflict.
    private func register(
        _ name: String,
        help: String,
        labels: Labels,
        kind: MetricKind,
        make: () -> Instrument
    ) -> Registration? {
        self.state.withLock { state in
            state.families.register(name: name, help: help, labels: labels, kind: kind, make: make)
        }
    }
}
