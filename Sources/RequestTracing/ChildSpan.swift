/// A step of a request: a stage of a write, or one attempt of an upstream request.
///
/// It must contain nothing from a client: no key, no value, no path.
public struct ChildSpan: Sendable {
    /// The kind of a span in OpenTelemetry, with the numbers of its protocol.
    public enum Kind: Int, Sendable {
        case `internal` = 1
        case client = 3
    }

    public enum Value: Sendable, Equatable {
        case text(String)
        case integer(Int)
    }

    public struct Attribute: Sendable {
        public let name: StaticString
        public let value: Value

        public init(_ name: StaticString, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    public let name: StaticString
    public let kind: Kind
    /// 0 for a span without references to it: the exporter creates its id.
    public let id: UInt64
    /// Monotonic nanoseconds.
    public let beganAt: UInt64
    /// Monotonic nanoseconds.
    public let endedAt: UInt64
    public let attributes: [Attribute]
    /// `error.type` of a failed span; nil for a success: one of a small set of words.
    public let failure: String?

    public init(
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
