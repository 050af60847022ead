import HTTP1
public import HTTPServing
public import Health
import JSON
import Logging
import NIOHTTP1

/// `/admin/read-only` and `/admin/drain`: what an operator switches of the running process. A restart begins as
/// configured.
public struct SwitchActions: Sendable {
    private let gate: ServiceGate
    private let events: EventJournal

    public init(gate: ServiceGate, events: EventJournal) {
        self.gate = gate
        self.events = events
    }

    public func routes(_ authorization: AdminAuthorization) -> [Route] {
        [
            .admin(
                "/admin/read-only", get: { _ in self.readOnlyDocument },
                post: { request throws(Problem) in
                    try self.setReadOnly(request)
                    return self.readOnlyDocument
                }, authorization),
            .admin(
                "/admin/drain", get: { _ in self.drainDocument },
                post: { request throws(Problem) in
                    try self.setDrain(request)
                    return self.drainDocument
                }, authorization),
        ]
    }

    private func setReadOnly(_ request: HTTPRequest) throws(Problem) {
        let (isOn, reason) = try Self.body(request)
        guard self.gate.setReadOnly(isOn, reason: reason) else { return }
        self.events.tell(
            isOn ? .readOnlyOn : .readOnlyOff, isOn ? .warning : .notice,
            isOn ? "read-only: writes are refused, reads continue" : "writes are accepted again",
            Self.details(reason, request))
        self.gate.look()
    }

    private func setDrain(_ request: HTTPRequest) throws(Problem) {
        let (isOn, reason) = try Self.body(request)
        guard self.gate.setDrain(isOn, reason: reason) else { return }
        self.events.tell(
            isOn ? .drainOn : .drainOff, isOn ? .warning : .notice,
            isOn
                ? "draining: /readyz answers 503, requests are still served"
                : "no longer draining: /readyz depends on the checks again",
            Self.details(reason, request))
        self.gate.look()
    }

    private var readOnlyDocument: HTTPResponse {
        let readOnly = self.gate.readOnly
        return .action { ServiceGate.write(readOnly, to: &$0) }
    }

    private var drainDocument: HTTPResponse {
        let drain = self.gate.drain
        return .action { ServiceGate.write(drain, to: &$0) }
    }

    private static func body(_ request: HTTPRequest) throws(Problem) -> (isOn: Bool, reason: String?) {
        let body = try ActionBody(
            request, names: ["enabled", "reason"], usage: #"{"enabled":true,"reason":"…"} or {"enabled":false}"#)
        return (try body.bool("enabled"), try body.text("reason", limitBytes: ActionBody.reasonLimitBytes))
    }

    private static func details(_ reason: String?, _ request: HTTPRequest) -> Logger.Metadata {
        var details: Logger.Metadata = ["request_id": "\(request.id)"]
        if let reason { details["reason"] = "\(reason)" }
        return details
    }
}
