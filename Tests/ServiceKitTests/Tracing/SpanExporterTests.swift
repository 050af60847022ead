import InMemoryLogging
import Logging
import PrometheusMetrics
import Synchronization
import SystemSupport
import TestSupport
import Testing

@testable import RequestTracing
@testable import TraceExport

/// The exporter with a collector that does what a test says.
private final class Harness: Sendable {
    private struct State {
        var bodies: [[UInt8]] = []
        var times: [UInt64] = []
    }

    let exporter: SpanExporter
    let metrics: TraceMetrics
    private let state: Mutex<State>
    private let log = InMemoryLogHandler()

    /// - Parameter answer: gets the number of the try, from 1.
    init(
        _ change: (inout SpanExporter.Limits) -> Void = { _ in },
        answer: @escaping @Sendable (_ number: Int, _ deadline: UInt64) -> ExportVerdict
    ) {
        let state = Mutex(State())
        self.state = state
        var limits = SpanExporter.Limits()
        limits.gatherNanoseconds = 1_000_000
        limits.firstDelayNanoseconds = 2_000_000
        change(&limits)
        self.metrics = TraceMetrics(registry: MetricsRegistry())
        let box = Box()
        self.exporter = SpanExporter(
            limits: limits,
            metrics: self.metrics,
            endpoint: "http://collector",
            logger: Logger(label: "test") { [log = self.log] _ in log }
        ) { body, deadline in
            let number = box.harness?.received(body) ?? 1
            return answer(number, deadline)
        }
        box.harness = self
        self.exporter.start(encoder: OTLPEncoder(service: "test", instanceID: "1"))
    }

    private func received(_ body: [UInt8]) -> Int {
        self.state.withLock { state in
            state.bodies.append(body)
            state.times.append(MonotonicClock.nanoseconds())
            return state.bodies.count
        }
    }

    var tries: Int { self.state.withLock { $0.bodies.count } }
    var times: [UInt64] { self.state.withLock { $0.times } }
    var messages: [String] { self.log.entries.map(\.message.description) }
    /// Spans in each try.
    var spans: [Int] {
        self.state.withLock { $0.bodies.map { String(decoding: $0, as: UTF8.self).occurrences(of: "\"spanId\"") } }
    }

    private final class Box: @unchecked Sendable {
        // Set once, before the exporter's thread is started.
        weak var harness: Harness?
    }
}

@Suite(.timeLimit(.minutes(1)))
struct SpanExporterTests {
    private static let stage = ChildSpan("stage", beganAt: 1, endedAt: 2)

    @Test func `spans go in batches that tear no request`() async throws {
        let harness = Harness({
            $0.batchSpans = 5
            $0.gatherNanoseconds = 60_000_000_000
        }) { _, _ in .taken(rejected: 0, reason: "") }
        // Two requests of three spans are more than a batch: they do not wait any longer, and go apart.
        for _ in 0..<2 { harness.exporter.submit(.sample(children: [Self.stage, Self.stage])) }
        try await Poll.eventually { harness.metrics.exported.value == 6 }
        #expect(harness.spans == [3, 3])
        #expect(harness.exporter.queue.count == 0)
        // A request with more spans than a batch holds goes alone.
        harness.exporter.submit(.sample(children: Array(repeating: Self.stage, count: 9)))
        try await Poll.eventually { harness.metrics.exported.value == 16 }
        #expect(harness.spans.last == 10)
    }

    @Test func `a batch is sent again with growing pauses until it is taken, and the log tells it twice`() async throws
    {
        let harness = Harness { number, _ in
            number <= 4 ? .tryAgain(reason: "connect", afterSeconds: nil) : .taken(rejected: 0, reason: "")
        }
        harness.exporter.submit(.sample())
        try await Poll.eventually { harness.metrics.exported.value == 1 }
        #expect(harness.tries == 5)
        let pauses = zip(harness.times, harness.times.dropFirst()).map { $1 - $0 }
        // 2, 4, 8, 16 ms, at least half of it.
        for (pause, least) in zip(pauses, [1, 2, 4, 8] as [UInt64]) { #expect(pause >= least * 1_000_000) }
        #expect(harness.messages.count == 2)
        #expect(harness.messages.first?.hasPrefix("spans cannot be exported") == true)
        #expect(harness.messages.last == "spans are exported again")
    }

    @Test func `what the collector refuses is not sent again`() async throws {
        let harness = Harness { number, _ in
            number == 1 ? .refused(reason: "status 400") : .taken(rejected: 1, reason: "too old")
        }
        harness.exporter.submit(.sample())
        try await Poll.eventually { harness.metrics.droppedSpans(.rejected) == 1 }
        harness.exporter.submit(.sample(children: [Self.stage]))
        try await Poll.eventually { harness.metrics.droppedSpans(.rejected) == 2 }
        #expect(harness.metrics.exported.value == 1 && harness.tries == 2 && harness.messages.count == 1)
    }

    @Test func `a batch that is too old is given up, and the next one is tried`() async throws {
        let harness = Harness({ $0.keptNanoseconds = 20_000_000 }) { number, _ in
            number < 100 ? .tryAgain(reason: "connect", afterSeconds: nil) : .taken(rejected: 0, reason: "")
        }
        harness.exporter.submit(.sample())
        try await Poll.eventually { harness.metrics.droppedSpans(.exportFailed) == 1 }
        let tries = harness.tries
        #expect(tries > 1)
        harness.exporter.submit(.sample())
        try await Poll.eventually { harness.tries > tries }
    }

    @Test func `the collector's wish for a pause is kept to, within reason`() async throws {
        let harness = Harness { number, _ in
            number == 1 ? .tryAgain(reason: "status 429", afterSeconds: 1) : .taken(rejected: 0, reason: "")
        }
        harness.exporter.submit(.sample())
        try await Poll.eventually { harness.metrics.exported.value == 1 }
        #expect(harness.times[1] - harness.times[0] >= 1_000_000_000)
        let short = Harness({ $0.longestPauseNanoseconds = 3_000_000 }) { number, _ in
            number == 1 ? .tryAgain(reason: "status 429", afterSeconds: .max) : .taken(rejected: 0, reason: "")
        }
        short.exporter.submit(.sample())
        try await Poll.eventually { short.metrics.exported.value == 1 }
    }

    @Test func `a full queue drops whole requests and counts their spans`() async throws {
        let gate = ThreadGate()
        let harness = Harness({ $0.queueSpans = 10 }) { _, _ in
            gate.wait()
            return .taken(rejected: 0, reason: "")
        }
        harness.exporter.submit(.sample(children: [Self.stage, Self.stage]))
        try await Poll.eventually { harness.tries == 1 }
        // Three are being sent and count still.
        for _ in 0..<4 { harness.exporter.submit(.sample(children: [Self.stage, Self.stage])) }
        #expect(harness.exporter.queue.count == 9 && harness.metrics.droppedSpans(.queueFull) == 6)
        harness.exporter.submit(.sample())
        #expect(harness.exporter.queue.count == 10)
        gate.open()
        try await Poll.eventually { harness.metrics.exported.value == 10 }
    }

    @Test func `the stop sends what waits, at once`() {
        let harness = Harness({ $0.gatherNanoseconds = 60_000_000_000 }) { _, _ in .taken(rejected: 0, reason: "") }
        harness.exporter.submit(.sample(children: [Self.stage]))
        let began = ContinuousClock.now
        harness.exporter.stop(timeoutNanoseconds: 10_000_000_000)
        #expect(ContinuousClock.now - began < .seconds(2))
        #expect(harness.metrics.exported.value == 2 && harness.messages.isEmpty)
        harness.exporter.submit(.sample())
        #expect(harness.exporter.queue.count == 0 && harness.metrics.droppedSpans(.queueFull) == 1)
    }

    @Test func `the stop waits no longer than it may, and says what is lost`() {
        let gate = ThreadGate()
        let harness = Harness { _, _ in
            gate.wait()
            return .taken(rejected: 0, reason: "")
        }
        harness.exporter.submit(.sample(children: [Self.stage]))
        let began = ContinuousClock.now
        harness.exporter.stop(timeoutNanoseconds: 50_000_000)
        #expect(ContinuousClock.now - began < .seconds(1))
        #expect(harness.metrics.droppedSpans(.stopping) == 2)
        #expect(harness.messages == ["spans were not exported before the stop"])
        gate.open()
    }

    @Test func `the stop does not press a collector that wants to be left alone`() async throws {
        let harness = Harness { _, _ in .tryAgain(reason: "status 503", afterSeconds: 86_400) }
        harness.exporter.submit(.sample())
        try await Poll.eventually { harness.tries == 1 }
        harness.exporter.stop(timeoutNanoseconds: 10_000_000_000)
        #expect(harness.tries == 1 && harness.metrics.droppedSpans(.stopping) == 1)
    }
}

/// Holds the exporter's thread, which may block, for a minute at most.
private final class ThreadGate: @unchecked Sendable {
    private let lock = ThreadLock()
    private var isOpen = false

    func wait() {
        let end = MonotonicClock.deadline(inNanoseconds: 60_000_000_000)
        self.lock.lock()
        defer { self.lock.unlock() }
        while !self.isOpen {
            if !self.lock.wait(untilMonotonicNanoseconds: end) {
                Issue.record("nobody opens the gate")
                return
            }
        }
    }

    func open() {
        self.lock.lock()
        self.isOpen = true
        self.lock.unlock()
        self.lock.broadcast()
    }
}
