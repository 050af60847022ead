/// A step of a request: a stage of a write, or one attempt of an upstream request.
///
/// It must contain nothing from a client: no key, no value, no path.
package struct ChildSpan: Sendable {
    /// The kind of a span in OpenTelemetry, with the numbers of its protocol.
    package enum Kind: Int, Sendable {
        case `internal` = 1
        case client = 3
    }

    package enum Value: Sendable, Equatable {
        case text(String)
        case integer(Int)
    }

    package struct Attribute: Sendable {
        package let name: StaticString
        package let value: Value

        package init(_ name: StaticString, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    package let name: StaticString
    package let kind: Kind
    /// 0 for a span without references to it: the exporter creates its id.
    package let id: UInt64
    /// Monotonic nanoseconds.
    package let beganAt: UInt64
    /// Monotonic nanoseconds.
    package let endedAt: UInt64
    package let attributes: [Attribute]
    /// `error.type` of a failed span; nil for a success: one of a small set of words.
    package let failure: String?

    package init(
        _ name: StaticString,
        kind: Kind = .internal,
        id: UInt64 = 0,
        beganAt: UInt64,
        endedAt: UInt64,
        attributes: [Attribute] = [],
        failure: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.id = id
        self.beganAt = beganAt
        self.endedAt = endedAt
        self.attributes = attributes
        self.failure = failure
    }
}
