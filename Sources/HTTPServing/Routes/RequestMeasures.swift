/// Measurements of a request by its action: up to six numbers, stored inline because nearly every request has some.
package struct RequestMeasures: Sendable {
    package enum Value: Sendable, Equatable {
        /// Shown in milliseconds.
        case nanoseconds(UInt64)
        case count(Int)
    }

    package struct Measure: Sendable {
        /// The member's name, with its unit, such as `queue_ms`.
        package let name: StaticString
        package let value: Value
    }

    package static let capacity = 6

    private var measures = InlineArray<6, Measure>(repeating: Measure(name: "", value: .count(0)))
    private(set) var count = 0

    package init() {}

    /// - Precondition: fewer than six were added before.
    package mutating func add(_ name: StaticString, _ value: Value) {
        precondition(self.count < Self.capacity, "a request has more than six measures")
        self.measures[self.count] = Measure(name: name, value: value)
        self.count += 1
    }

    package mutating func removeAll() { self.count = 0 }

    package func forEach(_ body: (Measure) -> Void) {
        for index in 0..<self.count { body(self.measures[index]) }
    }
}
