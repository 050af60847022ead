public import JSON
import Synchronization
import SystemSupport

extension ServiceGate.Guarded {
    /// The name of the state in `/readyz`, `/admin` and log lines.
    var stateName: StaticString {
        switch self.state {
        case .starting: "starting"
        case .replaying: "replaying"
        case .ready where self.drain != nil: "draining"
        case .ready where self.readOnly != nil: "read_only"
        case .ready: "ready"
        case .failed: "failed"
        case .stopping, .stopped: "stopping"
        }
    }

    /// Which requests of clients are carried out, whether the service is ready or not: for programs, in `/readyz` and
    /// `/admin`. Runs the checks.
    func servingName() -> StaticString {
        // Nothing new should be sent.
        if self.state == .stopping { return "none" }
        var (reads, writes) = (true, true)
        switch self.serving {
        case .open: break
        case .readsOnly: writes = false
        case .notYet, .noLonger: return "none"
        }
        if case .failed = self.state { (reads, writes) = (self.hasServed, false) }
        for check in self.checks {
            guard let stops = check.stops, check.failure() != nil else { continue }
            if stops != .writes { reads = false }
            if stops != .reads { writes = false }
        }
        return switch (reads, writes) {
        case (true, true): "all"
        case (true, false): "reads"
        case (false, true): "writes"
        case (false, false): "none"
        }
    }

    /// Details of the state, for people.
    public var stateReason: String? {
        func words(_ what: String, _ operatorSwitch: ServiceGate.OperatorSwitch?) -> String? {
            operatorSwitch.map { $0.reason.map { "\(what): \($0)" } ?? what }
        }
        switch self.state {
        case .failed(let reason): return reason
        case .ready:
            return words("drained by an operator; requests are still served", self.drain)
                ?? words("made read-only by an operator; writes are refused", self.readOnly)
        case .stopping: return "stopping: the process shuts down"
        case .starting, .replaying, .stopped: return nil
        }
    }

    /// Nil if the service is ready. Read-only is ready: taking a read-only service out of a load balancer would stop
    /// reads as well.
    func notReadyReason() -> String? {
        guard self.state == .ready, self.drain == nil else {
            return self.stateReason ?? self.stateName.description
        }
        for check in self.checks where check.severity == .failure {
            if let failure = check.failure() { return "\(check.name): \(failure)" }
        }
        return nil
    }
}

/// Detecting changes: checks are polled, they do not notify.
extension ServiceGate {
    /// How often ``look()`` should be called: a check that fails for a shorter time may go unnoticed.
    public static let lookIntervalMilliseconds: Int64 = 250

    /// Calls `listener` when ``look()`` detects a change of readiness, with nil or with the reason why the service is
    /// not ready; on the thread of that call. At first the service counts as not ready.
    public func onReadinessChange(_ listener: @escaping @Sendable (_ notReadyReason: String?) -> Void) {
        self.guarded.withLock { $0.listener = listener }
    }

    /// Reads the state and runs the checks.
    public func look() {
        self.watched.withLock { watched in
            let guarded = self.guarded.withLock { $0 }
            let now = WallClock.nanoseconds()
            for (index, check) in guarded.checks.enumerated() {
                let isFailing = check.failure() != nil
                if index == watched.checks.count {
                    watched.checks.append((isFailing, now))
                } else if watched.checks[index].isFailing != isFailing {
                    watched.checks[index] = (isFailing, now)
                }
            }
            let reason = guarded.notReadyReason()
            guard watched.isReady != (reason == nil) else { return }
            // It is normal that a starting service is not ready yet.
            let isNews = watched.isReady != nil || reason == nil
            watched.isReady = reason == nil
            if isNews { guarded.listener?(reason) }
        }
    }
}

/// Documents.
extension ServiceGate {
    /// The name of the state, its details, and which requests are carried out.
    public var described: (name: String, reason: String?, serving: String) {
        let guarded = self.guarded.withLock { $0 }
        return (guarded.stateName.description, guarded.stateReason, guarded.servingName().description)
    }

    /// The document of `/readyz`, and whether the service is ready.
    public func readiness() -> (isReady: Bool, document: [UInt8]) {
        self.look()
        let guarded = self.guarded.withLock { $0 }
        let isReady = guarded.notReadyReason() == nil
        var writer = JSONWriter()
        writer.object { document in
            document.member("status", isReady ? "ok" : "unavailable")
            document.member("service", self.service)
            document.member("state", guarded.stateName.description)
            document.member("serving", guarded.servingName().description)
            if let reason = guarded.stateReason { document.member("reason", reason) }
            document.member("time", Timestamp.nowRFC3339())
            self.write(guarded.checks, to: &document)
            if guarded.state == .replaying { guarded.writeProgress?(&document) }
        }
        writer.newline()
        return (isReady, writer.bytes)
    }

    /// Appends the member `checks`, as in `/readyz` and `/admin`.
    public func writeChecks(to writer: inout JSONWriter) {
        self.look()
        self.write(self.guarded.withLock { $0.checks }, to: &writer)
    }

    private func write(_ checks: [Check], to writer: inout JSONWriter) {
        let watched = self.watched.withLock { $0.checks }
        writer.member(
            "checks",
            array: { array in
                for (index, check) in checks.enumerated() {
                    let failure = check.failure()
                    let failing = check.severity == .failure ? "failing" : "warning"
                    array.element(object: { object in
                        object.member("name", check.name)
                        object.member("status", failure == nil ? "ok" : failing)
                        if index < watched.count {
                            object.memberTimestamp("since", nanosecondsSince1970: watched[index].sinceNanoseconds)
                        } else {
                            object.memberNull("since")
                        }
                        object.member("message", failure)
                    })
                }
            }
        )
    }

    /// Appends `read_only` and `drain`, as in `/admin`.
    public func writeSwitches(to writer: inout JSONWriter) {
        let guarded = self.guarded.withLock { $0 }
        writer.member("read_only", object: { Self.write(guarded.readOnly, to: &$0) })
        writer.member("drain", object: { Self.write(guarded.drain, to: &$0) })
    }

    public static func write(_ operatorSwitch: OperatorSwitch?, to object: inout JSONWriter) {
        object.member("enabled", operatorSwitch != nil)
        object.member("reason", operatorSwitch?.reason)
        object.member("since", operatorSwitch.map { Timestamp.rfc3339(nanosecondsSince1970: $0.sinceNanoseconds) })
    }
}
