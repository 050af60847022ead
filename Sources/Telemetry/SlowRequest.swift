public import HTTP1
public import HTTPServing

/// One request as shown by `/admin/slow`. It contains nothing of its key or value.
public struct SlowRequest: Sendable {
    public let identity: RequestIdentity
    /// The service's handler, by its index in the metrics.
    public let handler: Int
    public let method: RequestMethod
    public let status: UInt
    /// The code of the problem in its answer.
    public let failure: String?
    /// Wall clock, nanoseconds since 1970, of its first byte.
    public let startedAtNanoseconds: UInt64
    public let durationNanoseconds: UInt64
    /// From its first byte to its last.
    let receiveNanoseconds: UInt64
    public let measures: RequestMeasures
    public let requestBytes: Int
    public let responseBytes: Int

    public init(
        _ request: HTTPRequest, status: UInt, handler: Int,
        startedAtNanoseconds: UInt64, durationNanoseconds: UInt64, responseBytes: Int
    ) {
        self.identity = request.identity
        self.handler = handler
        self.method = request.method
        self.status = status
        self.failure = request.failure
        self.startedAtNanoseconds = startedAtNanoseconds
        self.durationNanoseconds = durationNanoseconds
        self.receiveNanoseconds = request.completedAtNanoseconds &- request.receivedAtNanoseconds
        self.measures = request.measures
        self.requestBytes = request.bodyBytes
        self.responseBytes = responseBytes
    }

    /// The measures that are stages, in the order of a request, with their names in `/admin/slow`. The rest is the
    /// service's own time.
    private static let stages: [(measure: StaticString, stage: StaticString)] = [
        ("queue_ms", "queue"), ("write_ms", "write"), ("fsync_ms", "fsync"), ("apply_ms", "apply"),
        ("wait_ms", "connection"), ("upstream_ms", "upstream"),
    ]

    /// The stages of its time in nanoseconds. Their sum is exactly its duration, unless clocks were read in between.
    public var stageNanoseconds: [(stage: StaticString, nanoseconds: UInt64)] {
        var stages: [(stage: StaticString, nanoseconds: UInt64)] = [("receive", self.receiveNanoseconds)]
        var rest = self.durationNanoseconds - min(self.receiveNanoseconds, self.durationNanoseconds)
        self.measures.forEach { measure in
            guard case .nanoseconds(let nanoseconds) = measure.value,
                let stage = Self.stages.first(where: { ASCII.same($0.measure, measure.name) })?.stage
            else { return }
            stages.append((stage, nanoseconds))
            rest -= min(nanoseconds, rest)
        }
        return stages + [("overhead", rest)]
    }

    public func count(_ name: StaticString) -> Int? {
        var found: Int?
        self.measures.forEach { measure in
            if case .count(let count) = measure.value, ASCII.same(measure.name, name) { found = count }
        }
        return found
    }
}
