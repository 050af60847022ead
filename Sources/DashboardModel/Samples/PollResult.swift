import JSON

/// One service that is polled.
public struct Target: Sendable, Equatable {
    public enum Role: String, Sendable {
        case kvService = "kv"
        case gateway
    }

    public var role: Role
    /// A short name for the screen: `kv`, `kv2`, `gw`.
    public var name: String
    /// `http://host:port`, without a slash at the end.
    public var url: String

    public init(role: Role, name: String, url: String) {
        self.role = role
        self.name = name
        self.url = url
    }

    /// The URL without its scheme.
    public var address: String {
        self.url.firstRange(of: "://").map { String(self.url[$0.upperBound...]) } ?? self.url
    }
}

/// Why a document did not arrive, as text for the operator: `connection refused`, `HTTP 503`.
public struct PollFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public var reason: String
    /// The service answered, but without the requested document: it is alive.
    public var isAnswer: Bool

    public init(_ reason: String, isAnswer: Bool = false) {
        self.reason = reason
        self.isAnswer = isAnswer
    }

    public var description: String { self.reason }
}

/// The unparsed bodies of one poll of one target.
public struct RawPoll: Sendable, Equatable {
    /// The target's index in the list of targets.
    public var target: Int
    /// Monotonic seconds when the scrape was complete or had failed.
    public var receivedAt: Double
    /// Seconds since 1970 at the same moment.
    public var wallTime: Double
    /// Duration of the whole poll.
    public var roundTripSeconds: Double
    public var metrics: Result<[UInt8], PollFailure>
    public var admin: Result<[UInt8], PollFailure>
    /// Nil if `/admin/events` was not requested, or does not exist.
    public var events: [UInt8]?

    public init(
        target: Int, receivedAt: Double, wallTime: Double, roundTripSeconds: Double,
        metrics: Result<[UInt8], PollFailure>, admin: Result<[UInt8], PollFailure>, events: [UInt8]? = nil
    ) {
        self.target = target
        self.receivedAt = receivedAt
        self.wallTime = wallTime
        self.roundTripSeconds = roundTripSeconds
        self.metrics = metrics
        self.admin = admin
        self.events = events
    }

    /// Whether the service sent no answer at all.
    public var isMissed: Bool {
        guard case .failure(let metrics) = self.metrics, case .failure(let admin) = self.admin else { return false }
        return !metrics.isAnswer && !admin.isAnswer
    }
}

/// One poll of one target, parsed.
public struct PollResult: Sendable, Equatable {
    public var target: Int
    /// Monotonic seconds; rates are differences of counters over differences of these.
    public var receivedAt: Double
    /// Seconds since 1970, for display.
    public var wallTime: Double
    public var roundTripSeconds: Double
    public var metrics: Result<MetricsSnapshot, PollFailure>
    public var admin: Result<AdminSnapshot, PollFailure>
    public var events: [ServiceEvent]?

    public init(
        target: Int, receivedAt: Double, wallTime: Double, roundTripSeconds: Double = 0,
        metrics: Result<MetricsSnapshot, PollFailure>, admin: Result<AdminSnapshot, PollFailure>,
        events: [ServiceEvent]? = nil
    ) {
        self.target = target
        self.receivedAt = receivedAt
        self.wallTime = wallTime
        self.roundTripSeconds = roundTripSeconds
        self.metrics = metrics
        self.admin = admin
        self.events = events
    }

    /// Parses the bodies. Takes about a millisecond for the documents of a service; any thread.
    public init(reading raw: RawPoll) {
        self.init(
            target: raw.target, receivedAt: raw.receivedAt, wallTime: raw.wallTime,
            roundTripSeconds: raw.roundTripSeconds,
            metrics: Self.read(raw.metrics, "/metrics") { bytes throws(ExpositionError) in
                try MetricsSnapshot(parsing: bytes)
            },
            admin: Self.read(raw.admin, "/admin") { bytes throws(JSONSyntaxError) in
                try AdminSnapshot(parsing: bytes)
            },
            events: raw.events.flatMap { try? ServiceEvent.list(parsing: $0) }
        )
    }

    private static func read<Document, Failure: Error & CustomStringConvertible>(
        _ body: Result<[UInt8], PollFailure>, _ path: String, _ parse: ([UInt8]) throws(Failure) -> Document
    ) -> Result<Document, PollFailure> {
        switch body {
        case .failure(let failure): return .failure(failure)
        case .success(let bytes):
            do throws(Failure) {
                return .success(try parse(bytes))
            } catch {
                return .failure(PollFailure("\(path): \(error)", isAnswer: true))
            }
        }
    }

    /// Whether any document arrived.
    public var isAnswered: Bool {
        (try? self.metrics.get()) != nil || (try? self.admin.get()) != nil
    }

    /// Why a document is missing; if both are missing, the reason of `/metrics`.
    public var failure: PollFailure? {
        if case .failure(let failure) = self.metrics { return failure }
        if case .failure(let failure) = self.admin { return failure }
        return nil
    }
}
