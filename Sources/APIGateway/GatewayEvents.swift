import Admin

/// The kinds of events that only the gateway reports.
extension EventKind {
    static let upstreamBack = EventKind("upstream_back")
    static let upstreamNotReady = EventKind("upstream_not_ready")
    static let upstreamLost = EventKind("upstream_lost")
    static let circuitOpened = EventKind("circuit_opened")
    static let circuitClosed = EventKind("circuit_closed")

    static let ofGateway = [upstreamBack, upstreamNotReady, upstreamLost, circuitOpened, circuitClosed]
}
