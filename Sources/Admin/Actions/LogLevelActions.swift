import HTTP1
public import HTTPServing
import JSON
import Logging
import NIOHTTP1
import ServiceSettings

/// `/admin/log-level`: shows and sets the log level.
public struct LogLevelActions: Sendable {
    private let control: LogLevelControl

    public init(_ control: LogLevelControl) {
        self.control = control
    }

    public func route(_ authorization: AdminAuthorization) -> Route {
        .admin(
            "/admin/log-level", get: { _ in self.document },
            post: { request throws(Problem) in
                try self.set(request)
                return self.document
            }, authorization)
    }

    private func set(_ request: HTTPRequest) throws(Problem) {
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
        self.control.set(level, for: duration, requestID: request.id)
    }

    private var document: HTTPResponse { .action { self.control.write(to: &$0) } }
}
