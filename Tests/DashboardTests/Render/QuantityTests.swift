import DashboardModel
import DashboardRender
import TestSupport
import Testing

@Suite("A number on the screen", .timeLimit(.minutes(1)))
struct QuantityTests {
    @Test(arguments: [
        (0.0, "0"), (0.001, "<0.01"), (0.2, "0.20"), (3.1, "3.10"), (12, "12.0"), (999.4, "999"), (999.5, "1.00k"),
        (1_924, "1.92k"), (12_400, "12.4k"), (999_499, "999k"), (1_200_000, "1.20M"),
    ])
    func `of a rate has three digits`(_ value: Double, _ text: String) {
        #expect(Quantity.rate(value) == text)
    }

    @Test(arguments: [
        (0.0, "0s"), (0.000_014_6, "14.6µs"), (0.000_31, "310µs"), (0.000_999_6, "1.00ms"), (0.0011, "1.10ms"),
        (0.1399, "140ms"), (0.9996, "1.00s"), (75, "75.0s"),
    ])
    func `of a duration has its unit`(_ value: Double, _ text: String) {
        #expect(Quantity.duration(value) == text)
    }

    @Test func `of bytes follows the units`() {
        #expect(Quantity.bytes(3_420_000_000, .si) == "3.42G")
        #expect(Quantity.bytes(3_420_000_000, .iec) == "3.19Gi")
        #expect(Quantity.bytes(3_420_000_000, .raw) == "3420000000")
        #expect(Quantity.bytes(999, .si) == "999")
        #expect(Quantity.count(1_203_441) == "1,203,441")
        #expect(Quantity.count(-1_000) == "-1,000")
    }

    @Test(arguments: [(42.0, "42s"), (723, "12m03s"), (11_220, "3h07m"), (273_600, "3d04h"), (.nan, "--")])
    func `of a time is short`(_ value: Double, _ text: String) {
        #expect(Quantity.age(value) == text)
    }

    @Test(arguments: [
        (60.0, "1m"), (150, "2m30s"), (3_600, "1h"), (10.02, "10s"), (0.25, "0.3s"), (0.01, "0.1s"), (0.99, "1s"),
    ])
    func `of a window is shorter`(_ value: Double, _ text: String) {
        #expect(Quantity.window(value) == text)
    }

    @Test(arguments: [(0.0, "0.00"), (0.000_01, "<0.01"), (0.021, "2.10"), (0.0999, "9.99"), (0.5, "50.0"), (1, "100")])
    func `of a part is per cent`(_ value: Double, _ text: String) {
        #expect(Quantity.percent(value) == text)
    }

    @Test func `never is longer than its column, nor anything but a number`() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<20_000 {
            let value = Double(bitPattern: generator.next()).magnitude
            guard value.isFinite, value < 1e15 else { continue }
            #expect(Quantity.rate(value).count <= 6)
            #expect(Quantity.bytes(value, .si).count <= 5)
            #expect(value > 1e5 || Quantity.duration(value).count <= 7)
        }
    }

    @Test(arguments: [(0.0, "00:00:00"), (50_602, "14:03:22"), (86_399.9, "23:59:59"), (-5, "--:--:--")])
    func `of the clock is the time of day`(_ value: Double, _ text: String) {
        #expect(ClockText.timeOfDay(value) == text)
    }

    @Test(arguments: [
        ("2026-11-22T14:03:22Z", 1_795_356_202.0), ("1970-01-01T00:00:00.250Z", 0.25),
        ("2024-02-29T00:00:00Z", 1_709_164_800),
    ])
    func `of an instant is read back`(_ text: String, _ seconds: Double) {
        #expect(InstantText.seconds(text) == seconds)
    }

    @Test(arguments: ["", "yesterday", "2026-13-22T14:03:22Z", "2026-11-22 14:03:22Z", "2026-11-22T14:03:22+01:00"])
    func `of what is no instant is not known`(_ text: String) {
        #expect(InstantText.seconds(text) == nil)
    }
}
