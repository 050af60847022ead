import Testing

@testable import APIGateway

@Suite("The limit of silence", .timeLimit(.minutes(1)))
struct SilenceLimitTests {
    /// The time at which the limit is reached, if the peer sends something every `interval` and falls silent at `end`.
    private static func reached(limit: UInt64, interval: UInt64, end: UInt64) -> UInt64 {
        var silence = SilenceLimit(nanoseconds: limit, heardAt: 0)
        // A timer looks, waits as long as it is told, and looks again.
        var now: UInt64 = 0
        while let wait = silence.remaining(now: now) {
            now += wait
            silence.heardAt = min(now, end) / interval * interval
        }
        return now
    }

    @Test(arguments: [1, 7, 14, 15, 44] as [UInt64])
    func `is not reached however long signs of life come, and counts from the last one`(interval: UInt64) {
        for end in [0, 44, 45, 46, 134, 135, 136, 100_000] as [UInt64] {
            #expect(
                Self.reached(limit: 45, interval: interval, end: end) == end / interval * interval + 45,
                "end \(end)")
        }
    }

    @Test func `a clock that is behind the last sign means no silence`() {
        #expect(SilenceLimit(nanoseconds: 45, heardAt: 100).remaining(now: 90) == 45)
    }
}
