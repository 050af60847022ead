import HTTP1
import HTTPServing
import JSON
import Logging
import NIOHTTP1
import ServiceSettings

/// The actions that both services have. Each changes only the running process: a restart uses the configuration.
extension ServiceRuntime {
    // MARK: Log level

    func setLogLevel(_ request: HTTPRequest) throws(Problem) -> HTTPResponse {
        let body = try ActionBody(
            request, names: ["level", "for"], usage: #"{"level":"debug"} or {"level":"debug","for":"10m"}"#)
        guard let text = try body.text("level", limitBytes: 16), let level = Logger.Level(rawValue: text) else {
            throw body.bad("level as one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        var duration: Duration?
        if let text = try body.text("for", limitBytes: 16) {
            guard let parsed = ScaledNumber.duration(text), (.seconds(1)...LogLevelControl.longest).contains(parsed)
            else {
                let longest = ScaledNumber.text(of: LogLevelControl.longest)
                throw body.bad("for as a duration such as 30s, 10m or 1h, from 1s to \(longest)")
            }
            duration = parsed
        }
        self.logLevelControl.set(level, for: duration, requestID: request.id)
        return self.logLevelDocument()
    }

    func logLevelDocument() -> HTTPResponse {
        Self.document { self.logLevelControl.write(to: &$0) }
    }

    // MARK: Switches

    func setReadOnly(_ request: HTTPRequest) throws(Problem) -> HTTPResponse {
        let (isOn, reason) = try Self.switchBody(request)
        if self.gate.setReadOnly(isOn, reason: reason) {
            self.events.tell(
                isOn ? .readOnlyOn : .readOnlyOff, isOn ? .warning : .notice,
                isOn ? "read-only: writes are refused, reads continue" : "writes are accepted again",
                Self.details(reason, request))
            self.gate.look()
        }
        return self.readOnlyDocument()
    }

    func readOnlyDocument() -> HTTPResponse {
        let readOnly = self.gate.readOnly
        return Self.document { ServiceGate.write(readOnly, to: &$0) }
    }

    func setDrain(_ request: HTTPRequest) throws(Problem) -> HTTPResponse {
        let (isOn, reason) = try Self.switchBody(request)
        if self.gate.setDrain(isOn, reason: reason) {
            self.events.tell(
                isOn ? .drainOn : .drainOff, isOn ? .warning : .notice,
                isOn
                    ? "draining: /readyz answers 503, requests are still served"
                    : "no longer draining: /readyz depends on the checks again",
                Self.details(reason, request))
            self.gate.look()
        }
        return self.drainDocument()
    }

    func drainDocument() -> HTTPResponse {
        let drain = self.gate.drain
        return Self.document { ServiceGate.write(drain, to: &$0) }
    }

    private static func switchBody(_ request: HTTPRequest) throws(Problem) -> (isOn: Bool, reason: String?) {
        let body = try ActionBody(
            request, names: ["enabled", "reason"], usage: #"{"enabled":true,"reason":"…"} or {"enabled":false}"#)
        return (try body.bool("enabled"), try body.text("reason", limitBytes: ActionBody.reasonLimitBytes))
    }

    private static func details(_ reason: String?, _ request: HTTPRequest) -> Logger.Metadata {
        var details: Logger.Metadata = ["request_id": "\(request.id)"]
        if let reason { details["reason"] = "\(reason)" }
        return details
    }

    private static func document(_ members: (inout JSONWriter) -> Void) -> HTTPResponse {
        var writer = JSONWriter()
        writer.object(members)
        writer.newline()
        return .json(.ok, writer.bytes)
    }
}
