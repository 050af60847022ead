/// Generates ids of requests and spans: fast, well distributed, and different for each loop and each run.
///
/// The numbers come from SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014) with a
/// seed from the system. They are identifiers; do not use them for secrets.
public struct RequestIdentityGenerator: Sendable {
    private var state: UInt64

    public init() {
        var system = SystemRandomNumberGenerator()
        self.state = system.next()
    }

    public init(seed: UInt64) {
        self.state = seed
    }

    public mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// 32 characters, five bits each; without i, l, o and u, which are easily confused.
    private static let alphabet: StaticString = "0123456789abcdefghjkmnpqrstvwxyz"

    /// A request id: 13 characters of `[0-9a-z]`, which is short enough for a string without heap storage.
    public mutating func requestID() -> String {
        var bits = self.next()
        return unsafe String(unsafeUninitializedCapacity: 13) { buffer in
            for index in 0..<13 {
                // A constant with 32 characters.
                unsafe buffer[index] = Self.alphabet.utf8Start[Int(bits & 31)]
                bits >>= 5
            }
            return 13
        }
    }

    /// The id of a span: not 0.
    public mutating func spanID() -> UInt64 {
        self.next() | 1
    }

    /// A new trace.
    ///
    /// - Parameter sampler: decides whether its spans are exported; without it they are not.
    public mutating func beginTrace(sampler: TraceSampler? = nil) -> TraceContext {
        let high = self.next() | 1
        let low = self.next()
        return TraceContext(
            traceHigh: high,
            traceLow: low,
            span: self.spanID(),
            parentSpan: 0,
            flags: sampler?.takes(traceLow: low) == true ? 1 : 0,
            state: nil
        )
    }

    /// A span of this service in the caller's trace.
    public mutating func continueTrace(_ received: TraceContext.Received, state: String?) -> TraceContext {
        TraceContext(
            traceHigh: received.traceHigh,
            traceLow: received.traceLow,
            span: self.spanID(),
            parentSpan: received.parentSpan,
            flags: received.flags,
            state: state
        )
    }
}
