/// Measurements of a request by its action: up to six numbers, stored inline because nearly every request has some.
public struct RequestMeasures: Sendable {
    public enum Value: Sendable, Equatable {
        /// Shown in milliseconds.
        case nanoseconds(UInt64)
        case count(Int)
    }

    public struct Measure: Sendable {
        /// The member's name, with its unit, such as `queue_ms`.
        public let name: StaticString
        public let value: Value
    }

    public static let capacity = 6

    private var measures = InlineArray<6, Measure>(repeating: Measure(name: "", value: .count(0)))
    private(set) var count = 0

    public init() {}

    /// - Precondition: fewer than six were added before.
    public mutating func add(_ name: StaticString, _ value: Value) {
        precondition(self.count < Self.capacity, "a request has more than six measures")
        self.measures[self.count] = Measure(name: name, value: value)
        self.count += 1
    }

    public mutating func removeAll() { self.count = 0 }

    public func forEach(_ body: (Measure) -> Void) {
        // An element of the array itself would be read from a copy of all of it.
        let measures = self.measures.span
        for index in 0..<self.count { body(measures[index]) }
    }
}
