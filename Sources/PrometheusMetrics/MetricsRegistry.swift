import Synchronization

/// The metrics of a process, and their output in each ``ExpositionFormat``.
///
/// Metrics are registered once, at the start or when a series first occurs, and the handles are kept; recording through
/// a handle takes no lock. Families are ordered by name, the series of a family by label values; the order of labels in
/// a call does not matter.
///
/// A registration that contradicts an earlier one, or that the format does not allow, never stops the program: it is
/// counted in `metrics_registration_conflicts_total`, and the returned handle works but is not exposed. These are:
/// - a name or label name that the format does not allow, a repeated label, `le` on a histogram;
/// - a known name with another type, help, set of label names or bounds;
/// - a name that the samples of another family have in one of the formats, such as a histogram's `_count`, or a
///   counter's name without `_total`;
/// - bounds that are not ascending or not finite;
/// - a known series that is read at the scrape, registered again.
///
/// The same applies to more than ``seriesLimit`` series of one family, which are counted in
/// `metrics_series_overflow_total`.
///
/// All methods may be called on any thread.
public final class MetricsRegistry: Sendable {
    public typealias Labels = [(name: String, value: String)]

    /// Maximum number of series of one family. Label values are few and known; an unbounded one is a bug.
    static let seriesLimit = 2_000

    private struct State {
        var families = FamilyTable()
        var hooks: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())
    private let conflicts = Counter()
    private let overflows = Counter()

    /// Makes counting cheaper on the calling thread, for as long as the process runs: for event loops.
    public static func claimRow() { TableRow.claim() }

    public init() {
        let own = [
            (
                "metrics_registration_conflicts_total", self.conflicts,
                "Metrics whose registration contradicts an earlier one or the format; their series are not exposed."
            ),
            (
                "metrics_series_overflow_total", self.overflows,
                "Series registered beyond the limit of a family; their values are not exposed."
            ),
        ]
        for (name, counter, help) in own {
            _ = self.register(name, help: help, labels: [], kind: .counter, make: { .counter(counter) })
        }
    }

    /// The counter with this name and these labels, created at 0 if it is new.
    /// - Parameter name: with the suffix `_total`.
    public func counter(_ name: String, help: String, labels: Labels = []) -> Counter {
        let instrument = self.register(name, help: help, labels: labels, kind: .counter) { .counter(Counter()) }
        switch instrument {
        case .counter(let counter)?: return counter
        case nil: break
        default: self.conflicts.increment()
        }
        return Counter()
    }

    /// The gauge with this name and these labels, created at 0 if it is new.
    public func gauge(_ name: String, help: String, labels: Labels = []) -> Gauge {
        let instrument = self.register(name, help: help, labels: labels, kind: .gauge) { .gauge(Gauge()) }
        switch instrument {
        case .gauge(let gauge)?: return gauge
        case nil: break
        default: self.conflicts.increment()
        }
        return Gauge()
    }

    /// The histogram with this name and these labels, created if it is new.
    /// - Parameters:
    ///   - bounds: upper bounds of the buckets, ascending and finite; the last bucket, for all other values, is added.
    ///   - isNative: whether the protobuf format has a native histogram in addition to the buckets.
    public func histogram(
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

    /// A counter kept by another part of the program. `read` is called at each scrape, on the thread that renders; it
    /// must be fast, must not block, and must never return less than before.
    public func counter(
        _ name: String,
        help: String,
        labels: Labels = [],
        read: @escaping @Sendable () -> Double
    ) {
        self.register(name, help: help, labels: labels, kind: .counter, read: read)
    }

    /// A gauge kept by another part of the program. `read` is called at each scrape, on the thread that renders; it
    /// must be fast and must not block.
    public func gauge(
        _ name: String,
        help: String,
        labels: Labels = [],
        read: @escaping @Sendable () -> Double
    ) {
        self.register(name, help: help, labels: labels, kind: .gauge, read: read)
    }

    /// Forgets all series with this label: of something that is not there any more. Their handles work on, but are not
    /// exposed; a later registration begins anew.
    public func removeSeries(withLabel label: (name: String, value: String)) {
        self.state.withLock { $0.families.removeSeries(withLabel: label) }
    }

    /// Calls `hook` at the beginning of each rendering, in the order of registration: for values that should be read
    /// together. It must be fast and must not block.
    func beforeRender(_ hook: @escaping @Sendable () -> Void) {
        self.state.withLock { $0.hooks.append(hook) }
    }

    /// Appends all metrics in a format. Recording continues meanwhile; a lock is held only to read the registrations.
    public func render(_ format: ExpositionFormat = .text, into bytes: inout [UInt8]) {
        for hook in self.state.withLock({ $0.hooks }) {
            hook()
        }
        for family in self.state.withLock({ $0.families.sorted }) {
            family.render(format, into: &bytes)
        }
        if format == .openMetrics { bytes += "# EOF\n".utf8 }
    }

    public func render(_ format: ExpositionFormat = .text) -> [UInt8] {
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

    /// Returns nil, and counts it, if the series cannot be exposed.
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
