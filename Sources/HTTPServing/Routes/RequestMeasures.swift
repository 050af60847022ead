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

    private var measures: InlineArray<6, Measure?> = InlineArray(repeating: nil)

    package init() {}

    /// - Precondition: fewer than six were added before.
    package mutating func add(_ name: StaticString, _ value: Value) {
        for index in self.measures.indices where self.measures[index] == nil {
            self.measures[index] = Measure(name: name, value: value)
            return
        }
        preconditionFailure("a request has more than six measures")
    }

    package func forEach(_ body: (Measure) -> Void) {
        for index in self.measures.indices {
            guard let measure = self.measures[index] else { return }
            body(measure)
        }
    }
}
