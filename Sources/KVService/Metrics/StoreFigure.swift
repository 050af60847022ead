import JSON
import PrometheusMetrics

/// One figure of the store: its metric, its member of `/admin`, and how it is read. ``StoreFigure/all`` is the only
/// place that knows it; the tests hold Docs/Metrics.md, Docs/Admin.md and the schema to that table.
struct StoreFigure: Sendable {
    /// Shown as a number in metrics (a flag as 0 or 1), and as what it is in JSON.
    enum Value: Equatable {
        case count(UInt64)
        case measure(Double)
        case flag(Bool)

        init(_ count: UInt64) { self = .count(count) }
        init(_ count: Int) { self = .count(UInt64(clamping: count)) }

        var number: Double {
            switch self {
            case .count(let count): Double(count)
            case .measure(let measure): measure
            case .flag(let flag): flag ? 1 : 0
            }
        }
    }

    struct Metric: Sendable {
        enum Kind: Sendable { case gauge, counter }

        var kind: Kind
        var name: String
        /// One sentence, in `# HELP`.
        var help: String
        var labels: MetricsRegistry.Labels = []
        /// Its value while the figure is unknown.
        var unknown: Double = 0
    }

    /// The path in `/admin`, such as `log.size_bytes`; nil for a figure that only `/metrics` has.
    let member: String?
    /// Nil for a figure that only `/admin` has.
    let metric: Metric?
    /// Nil: unknown, such as a revision before the replay; `null` in JSON. Any thread; must not ask the disk.
    let read: @Sendable (StoreSources) -> Value?

    init(
        _ member: String? = nil, gauge name: String, help: String, labels: MetricsRegistry.Labels = [],
        unknown: Double = 0, read: @escaping @Sendable (StoreSources) -> Value?
    ) {
        self.member = member
        self.metric = Metric(kind: .gauge, name: name, help: help, labels: labels, unknown: unknown)
        self.read = read
    }

    init(
        _ member: String? = nil, counter name: String, help: String,
        read: @escaping @Sendable (StoreSources) -> Value?
    ) {
        self.member = member
        self.metric = Metric(kind: .counter, name: name, help: help)
        self.read = read
    }

    init(_ member: String, read: @escaping @Sendable (StoreSources) -> Value?) {
        self.member = member
        self.metric = nil
        self.read = read
    }
}

extension StoreSources {
    /// Adds the metrics of figures.
    func register(_ figures: [StoreFigure], in registry: MetricsRegistry) {
        for figure in figures {
            guard let metric = figure.metric else { continue }
            let read: @Sendable () -> Double = { figure.read(self)?.number ?? metric.unknown }
            switch metric.kind {
            case .gauge: registry.gauge(metric.name, help: metric.help, labels: metric.labels, read: read)
            case .counter: registry.counter(metric.name, help: metric.help, labels: metric.labels, read: read)
            }
        }
    }

    /// Writes the figures whose members lie directly in `parent`, such as `log` or `log.filesystem`.
    func writeFigures(of parent: String, to object: inout JSONWriter) {
        for figure in StoreFigure.all {
            guard let member = figure.member, member.hasPrefix(parent + ".") else { continue }
            let name = String(member.dropFirst(parent.count + 1))
            guard !name.contains(".") else { continue }
            switch figure.read(self) {
            case .count(let count)?: object.member(name: name, count)
            case .measure(let measure)?: object.member(name: name, measure)
            case .flag(let flag)?: object.member(name: name, flag)
            case nil: object.memberNull(name: name)
            }
        }
    }
}
