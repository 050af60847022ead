import Testing

@testable import APIGateway

@Suite("Under more load than kv-service carries, the pool", .timeLimit(.minutes(2)))
struct UpstreamOverloadTests {
    /// A service, what it can do in a second, and the limit for reads that fits it.
    static let services: [(SimulatedOverload.Service, capacity: Double, limit: ClosedRange<Int>)] = [
        (.core(nanosecondsPerRead: 25_000), 40_000, 30...64),
        (.core(nanosecondsPerRead: 140_000), 7_142, 8...16),
        (.core(nanosecondsPerRead: 1_000_000), 1_000, 8...10),
        // A sync begins with the first write, and the others come with the next one.
        (.disk(nanosecondsPerSync: 2_200_000), 24.5 / 0.0022, 64...64),
        (.disk(nanosecondsPerSync: 20_000_000), 24.5 / 0.02, 64...64),
        // More in flight is answered just as fast: the limit must not fall.
        (.distant(nanoseconds: 10_000_000), 6_400, 64...64),
    ]

    @Test(arguments: services)
    func `answers what kv-service can carry, nearly as fast as at four fifths of that, and refuses the rest`(
        service: SimulatedOverload.Service, capacity: Double, limit: ClosedRange<Int>
    ) {
        let seed = UInt64.random(in: 0 ... .max)
        var simulation = SimulatedOverload(service, seed: seed)
        // Requests that wait behind each other are late together: the percentiles of few of them differ by chance.
        let seconds = max(5, 60_000 / capacity)
        let usual = simulation.run(rate: 0.8 * capacity, seconds: seconds)
        #expect(usual.refused == 0, "seed \(seed)")
        // A queue counts as a burst for 100 ms.
        _ = simulation.run(rate: 2 * capacity, seconds: 1)
        let overload = simulation.run(rate: 2 * capacity, seconds: 10)
        #expect(overload.rate > 0.97 * capacity, "seed \(seed)")
        #expect(overload.quantile(0.99) < 2 * usual.quantile(0.99) + 6_500_000, "seed \(seed)")
        #expect(limit.contains(simulation.machine.counts.reads.limit), "seed \(seed)")
        // It ends with the load.
        _ = simulation.run(rate: 0.8 * capacity, seconds: 1)
        let after = simulation.run(rate: 0.8 * capacity, seconds: seconds)
        #expect(after.refused <= after.times.count / 500, "seed \(seed)")
        #expect(after.quantile(0.5) < usual.quantile(0.5) * 3 / 2, "seed \(seed)")
        // Until the period that began under the load has ended, a look at the fastest time may be due: for 50 ms only one
        // read is in flight, and what has come by then takes 200 ms to catch up with, two to three of a hundred requests.
        let settled = simulation.run(rate: 0.8 * capacity, seconds: seconds)
        #expect(settled.quantile(0.98) < usual.quantile(0.98) * 3 / 2, "seed \(seed)")
    }

    @Test func `lets a burst wait that is soon over`() {
        let seed = UInt64.random(in: 0 ... .max)
        var simulation = SimulatedOverload(.core(nanosecondsPerRead: 100_000), seed: seed)
        _ = simulation.run(rate: 1_000, seconds: 1)
        // 500 reads, and 50 ms of work, within 1 ms.
        let burst = simulation.run(rate: 500_000, seconds: 0.001)
        let rest = simulation.run(rate: 1_000, seconds: 0.3)
        #expect(burst.refused + rest.refused == 0, "seed \(seed)")
        #expect(rest.quantile(1) > 40_000_000, "seed \(seed)")
    }

    @Test func `keeps its connections busy if kv-service becomes slower or faster`() {
        let seed = UInt64.random(in: 0 ... .max)
        var simulation = SimulatedOverload(.distant(nanoseconds: 500_000), seed: seed)
        _ = simulation.run(rate: 10_000, seconds: 5)
        for milliseconds in [20, 5, 20, 1] {
            simulation.service = .distant(nanoseconds: UInt64(milliseconds) * 1_000_000)
            // The fastest answers of before are forgotten after two periods.
            _ = simulation.run(rate: 128_000 / Double(milliseconds), seconds: 15)
            let result = simulation.run(rate: 128_000 / Double(milliseconds), seconds: 3)
            #expect(result.rate > 0.95 * 64_000 / Double(milliseconds), "\(milliseconds) ms, seed \(seed)")
        }
    }
}
