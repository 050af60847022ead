import DashboardModel
import Testing

@Suite("A threshold", .timeLimit(.minutes(1)))
struct ThresholdTests {
    @Test func `of garbage needs a log of the size that a compaction needs`() {
        func level(_ size: Int) -> AlarmLevel {
            let text =
                "{\"log\":{\"size_bytes\":\(size),\"live_bytes\":0},\"compaction\":{\"minimum_bytes\":1000}}"
            var dashboard = Dashboard(
                targets: [Target(role: .kvService, name: "kv", url: "http://x")], now: 0, wallTime: 0)
            dashboard.apply(
                PollResult(
                    reading: RawPoll(
                        target: 0, receivedAt: 1, wallTime: 1, roundTripSeconds: 0,
                        metrics: .failure(PollFailure("HTTP 404", isAnswer: true)),
                        admin: .success(Array(text.utf8)))))
            return dashboard.targets[0].garbageLevel
        }
        #expect(level(999) == .none)
        #expect(level(1_000) == .critical)
    }

    @Test func `is entered at its limit and left at 90 % of it`() {
        let threshold = Threshold(warning: 100, critical: 500)
        var level = AlarmLevel.none
        let steps: [(Double?, AlarmLevel)] = [
            (99, .none), (100, .warning), (91, .warning), (89, .none), (500, .critical), (451, .critical),
            (449, .warning), (nil, .none),
        ]
        for (value, expected) in steps {
            level = threshold.level(of: value, before: level)
            #expect(level == expected, "at \(value.map { "\($0)" } ?? "nothing")")
        }
    }
}
