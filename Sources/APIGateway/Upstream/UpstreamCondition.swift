/// What the last probe found, in one word: `state` in `/admin` and in `gateway_upstream_state`.
enum UpstreamCondition: UInt8, CaseIterable, Sendable {
    /// There was no probe yet.
    case unknown
    case ready
    /// It starts or reads its log.
    case starting
    /// An operator drained it; it serves requests nevertheless.
    case draining
    case stopping
    /// Its log has failed; it may still serve reads.
    case failed
    /// It is not ready for another reason.
    case notReady
    /// It had no free connection for the probe.
    case busy
    /// No connection can be opened: nothing listens, or the host cannot be reached.
    case unreachable
    /// It does not answer in time.
    case slow
    /// It closes the connection before the answer is complete.
    case resetting
    /// What answers is not kv-service.
    case invalid

    var label: String {
        switch self {
        case .unknown: "unknown"
        case .ready: "ready"
        case .starting: "starting"
        case .draining: "draining"
        case .stopping: "stopping"
        case .failed: "failed"
        case .notReady: "not_ready"
        case .busy: "busy"
        case .unreachable: "unreachable"
        case .slow: "slow"
        case .resetting: "resetting"
        case .invalid: "invalid"
        }
    }

    /// - Parameter state: the member of kv-service's `/readyz`; nil without one.
    init(isReady: Bool, state: String?) {
        switch state {
        case _ where isReady: self = .ready
        case "starting", "replaying": self = .starting
        case "draining": self = .draining
        case "stopping": self = .stopping
        case "failed": self = .failed
        default: self = .notReady
        }
    }

    /// - Parameter failure: of a probe.
    init(_ failure: UpstreamFailure) {
        switch failure {
        case .connect: self = .unreachable
        case .timeout: self = .slow
        case .reset: self = .resetting
        case .protocolError, .answerTooLarge: self = .invalid
        case .poolExhausted, .circuitOpen, .stopping: self = .unknown
        }
    }
}
