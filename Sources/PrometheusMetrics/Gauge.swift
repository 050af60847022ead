import Synchronization

/// A number that increases and decreases, from 0 at the start of the process. Any thread may change it at any time; no
/// call blocks.
///
/// All threads share one word, because a set value belongs to none of them. A number that every request changes should
/// be kept by its event loop and registered with `read`.
public final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    init() {}

    public func set(_ value: Double) {
        self.bits.store(value.bitPattern, ordering: .relaxed)
    }

    public func add(_ difference: Double) {
        var current = self.bits.load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: current) + difference).bitPattern
            let (exchanged, original) = self.bits.weakCompareExchange(
                expected: current,
                desired: sum,
                ordering: .relaxed
            )
            if exchanged { return }
            current = original
        }
    }

    public var value: Double {
        Double(bitPattern: self.bits.load(ordering: .relaxed))
    }
}
