import Synchronization
import SystemSupport
import Testing

@testable import PrometheusMetrics

@Suite("An instrument", .timeLimit(.minutes(1)))
struct InstrumentTests {
    /// Runs `body` on several threads at once.
    private func inParallel(_ body: @escaping @Sendable (Int) -> Void) async {
        await withTaskGroup { group in
            for task in 0..<8 { group.addTask { body(task) } }
        }
    }

    @Test func `that counts loses nothing among many threads`() async {
        let counter = Counter()
        await self.inParallel { task in
            for _ in 0..<20_000 { counter.increment() }
            counter.increment(by: task)
        }
        #expect(counter.value == 160_028)
    }

    @Test func `that counts never goes down`() {
        let counter = Counter()
        counter.increment(by: 2)
        counter.increment(by: 0)
        counter.increment(by: -1)
        counter.increment(by: .min)
        #expect(counter.value == 2)
    }

    @Test func `that is a gauge loses no change among many threads`() async {
        let gauge = Gauge()
        gauge.set(10.5)
        await self.inParallel { task in
            for _ in 0..<10_000 { gauge.add(task % 2 == 0 ? 2 : -1) }
        }
        #expect(gauge.value == 40_010.5)
        gauge.set(-1)
        #expect(gauge.value == -1)
    }

    @Test func `that is a histogram loses nothing among many threads`() async {
        let histogram = Histogram(bounds: [1, 2, 3])
        await self.inParallel { task in
            for _ in 0..<10_000 {
                histogram.observe(Double(task % 4) + 0.5)
                histogram.observe(nanoseconds: 1_500_000_000)
            }
        }
        let snapshot = histogram.snapshot()
        #expect(snapshot.counts == [20_000, 100_000, 20_000, 20_000])
        #expect(snapshot.sum == 80_000 * 2 + 80_000 * 1.5)
        #expect(snapshot.count == 160_000)
        #expect(histogram.takeMaximum() == 3.5)
        #expect(histogram.takeMaximum() == 0)
    }

    @Test func `that is a histogram has all it counts in its sum and its maximum at any moment`() async {
        let histogram = Histogram(bounds: [1])
        await withTaskGroup { group in
            group.addTask {
                for _ in 0..<200_000 { histogram.observe(nanoseconds: 1_000_000_000) }
            }
            group.addTask {
                for _ in 0..<100_000 {
                    let snapshot = histogram.snapshot()
                    let maximum = histogram.takeMaximum()
                    if snapshot.count == 200_000 { break }
                    #expect(snapshot.sum >= Double(snapshot.count))
                    #expect(maximum == 0 || maximum == 1)
                }
            }
        }
    }

    @Test func `that is a histogram puts a value at a bound below it, in seconds as in nanoseconds`() {
        for (index, bound) in Histogram.durationBounds.enumerated() {
            let nanoseconds = UInt64((bound * 1e9).rounded())
            for (difference, bucket) in [(-1, index), (0, index), (1, index + 1)] {
                let histogram = Histogram(bounds: Histogram.durationBounds)
                histogram.observe(nanoseconds: nanoseconds &+ UInt64(bitPattern: Int64(difference)))
                #expect(histogram.snapshot().counts[bucket] == 1, "\(bound) s and \(difference) ns")
            }
            for (value, bucket) in [(bound.nextDown, index), (bound, index), (bound.nextUp, index + 1)] {
                let histogram = Histogram(bounds: Histogram.durationBounds)
                histogram.observe(value)
                #expect(histogram.snapshot().counts[bucket] == 1, "\(value) s")
            }
        }
    }

    @Test func `that is a histogram takes the largest and the strangest values`() {
        let histogram = Histogram(bounds: [0, 1])
        histogram.observe(.nan)
        #expect(histogram.snapshot().counts == [0, 0, 0])
        histogram.observe(.infinity)
        histogram.observe(-5)
        histogram.observe(-0.0)
        histogram.observe(.leastNonzeroMagnitude)
        #expect(histogram.snapshot().counts == [2, 1, 1])
        #expect(histogram.snapshot().sum == .infinity)

        let other = Histogram(bounds: [0, 1e30])
        other.observe(nanoseconds: .max)
        other.observe(nanoseconds: 0)
        #expect(other.snapshot().counts == [1, 1, 0])
        #expect(other.snapshot().sum == Double(UInt64.max) / 1e9)
    }

    @Test func `that is a histogram sums nanoseconds exactly`() {
        let histogram = Histogram(bounds: [1])
        for _ in 0..<1_000_000 { histogram.observe(nanoseconds: 100) }
        // A Double that is added to a million times is off by then.
        #expect(histogram.snapshot().sum == 0.1)
    }

    /// Runs `body` on threads at the same time, and waits for their ends.
    private func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
        let threads = try (0..<count).map { number in
            try DedicatedThread.start(name: "counting") { body(number) }
        }
        for thread in threads { thread.join() }
    }

    @Test func `loses nothing, whether a thread has a row of its own or shares one`() throws {
        let counter = Counter()
        let histogram = Histogram(bounds: [1, 2])
        try self.onThreads(12) { number in
            if number % 2 == 0 { TableRow.claim() }
            for _ in 0..<20_000 {
                counter.increment()
                histogram.observe(1.5)
                histogram.observe(nanoseconds: 1_000_000_000)
            }
        }
        #expect(counter.value == 240_000)
        #expect(histogram.snapshot().counts == [240_000, 240_000, 0])
        #expect(histogram.snapshot().sum == 240_000 * 2.5)
    }

    @Test func `of a thread with a row of its own shares it with no other`() throws {
        let rows = Mutex<[TableRow]>([])
        try self.onThreads(2 * TableRow.count) { _ in
            TableRow.claim()
            let row = TableRow.current(TableRow.key)
            rows.withLock { $0.append(row) }
        }
        let all = rows.withLock { $0 }
        let owned = all.filter(\.isOwned)
        #expect(Set(owned.map(\.index)).count == owned.count)
        #expect(all.allSatisfy { (0..<TableRow.count).contains($0.index) })
        #expect(owned.count < all.count, "there are more threads than rows")
    }
}
