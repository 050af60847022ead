/// What an action has measured of a request: up to six numbers, kept in place because nearly every request has some.
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

    private var measures: (Measure?, Measure?, Measure?, Measure?, Measure?, Measure?) = (nil, nil, nil, nil, nil, nil)

    package init() {}

    /// - Precondition: fewer than six were added before.
    package mutating func add(_ name: StaticString, _ value: Value) {
        let measure = Measure(name: name, value: value)
        switch self.measures {
        case (nil, _, _, _, _, _): self.measures.0 = measure
        case (_, nil, _, _, _, _): self.measures.1 = measure
        case (_, _, nil, _, _, _): self.measures.2 = measure
        case (_, _, _, nil, _, _): self.measures.3 = measure
        case (_, _, _, _, nil, _): self.measures.4 = measure
        case (_, _, _, _, _, nil): self.measures.5 = measure
        default: preconditionFailure("a request has more than six measures")
        }
    }

    package func forEach(_ body: (Measure) -> Void) {
        if let measure = self.measures.0 { body(measure) }
        if let measure = self.measures.1 { body(measure) }
        if let measure = self.measures.2 { body(measure) }
        if let measure = self.measures.3 { body(measure) }
        if let measure = self.measures.4 { body(measure) }
        if let measure = self.measures.5 { body(measure) }
    }
}
