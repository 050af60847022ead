import InMemoryLogging
import Logging
import PrometheusMetrics
import Testing

@testable import Admin

@Suite(.timeLimit(.minutes(1)))
struct EventJournalTests {
    private static let oneKind = EventKind("one")

    private static func journal(_ lines: InMemoryLogHandler = InMemoryLogHandler()) -> (EventJournal, MetricsRegistry) {
        let registry = MetricsRegistry()
        let logger = Logger(label: "test") { _ in lines }
        return (EventJournal(registry: registry, metricPrefix: "kv", kinds: [Self.oneKind], logger: logger), registry)
    }

    private static func metrics(_ registry: MetricsRegistry) -> String {
        String(decoding: registry.render(), as: UTF8.self)
    }

    @Test func `numbers grow, and what was seen is not told again`() {
        let (journal, _) = Self.journal()
        #expect(journal.events(after: 0).events.isEmpty && journal.events(after: 0).lastNumber == 0)
        for count in 1...3 { journal.tell(Self.oneKind, .notice, "\(count)") }
        #expect(journal.events(after: 0).events.map(\.message) == ["1", "2", "3"])
        #expect(journal.events(after: 0).events.map(\.number) == [1, 2, 3])
        #expect(journal.events(after: 2).events.map(\.message) == ["3"])
        #expect(journal.events(after: 3).events.isEmpty && journal.events(after: 3).missed == 0)
        // A number of an earlier run of the process.
        #expect(journal.events(after: 900).events.isEmpty && journal.events(after: 900).lastNumber == 3)
        #expect(journal.events(after: 900).missed == 0)
    }

    @Test func `the last 256 are kept, and what was missed is said`() {
        let (journal, registry) = Self.journal()
        for count in 1...300 { journal.tell(Self.oneKind, .notice, "\(count)") }
        let all = journal.events(after: 0)
        #expect(all.events.count == 256 && all.events.first?.number == 45 && all.events.last?.number == 300)
        #expect(all.missed == 44)
        #expect(journal.events(after: 40).missed == 4)
        #expect(journal.events(after: 44).missed == 0)
        #expect(Self.metrics(registry).contains("\nkv_events_total{kind=\"one\"} 300\n"))
    }

    @Test func `each kind has a series from the start`() {
        let (_, registry) = Self.journal()
        let text = Self.metrics(registry)
        for kind in EventKind.common + [Self.oneKind] {
            #expect(text.contains("\nkv_events_total{kind=\"\(kind.name)\"} 0\n"))
        }
        #expect(text.split(separator: "\n").count { $0.hasPrefix("kv_events_total{") } == EventKind.common.count + 1)
    }

    @Test func `each is logged once, with its kind, unless another line says it`() {
        let lines = InMemoryLogHandler()
        let (journal, _) = Self.journal(lines)
        journal.tell(Self.oneKind, .warning, "first", ["a": "b"])
        journal.tell(Self.oneKind, .warning, "second", isLogged: false)
        #expect(
            lines.entries == [
                InMemoryLogHandler.Entry(level: .warning, message: "first", metadata: ["a": "b", "event": "one"])
            ])
    }

    @Test func `severities are those of programs`() {
        let (journal, _) = Self.journal()
        for level in [Logger.Level.info, .notice, .warning, .error, .critical] {
            journal.tell(Self.oneKind, level, "x")
        }
        #expect(journal.events(after: 0).events.map(\.severity) == ["info", "info", "warning", "error", "critical"])
    }
}
