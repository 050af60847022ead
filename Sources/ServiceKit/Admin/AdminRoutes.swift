package import JSONLogging
import Logging
import NIOHTTP1

/// `/admin` and what lies below it. Reading never changes anything; actions ask ``AdminAuthorization``.
extension ServiceRuntime {
    /// - Parameter document: writes the members of `GET /admin` behind the common head.
    package func adminRoutes(
        authorization: AdminAuthorization, document: @escaping @Sendable (inout JSONWriter) -> Void
    ) -> [Route] {
        [
            Self.route(
                "/admin", [(.GET, { _, responder in responder.respond(.json(.ok, self.adminDocument(document))) })]),
            Self.route(
                "/admin/config",
                [(.GET, { _, responder in responder.respond(.json(.ok, self.configurationDocument())) })]),
            Self.route(
                "/admin/log-level",
                [
                    (.GET, { _, responder in responder.respond(.json(.ok, self.logLevelDocument())) }),
                    (.POST, { request, responder in self.setLogLevel(request, responder, authorization) }),
                ],
                bodyLimitBytes: 1_024),
        ]
    }

    /// A route whose actions take no query parameters: one that went unnoticed may have been meant to matter.
    private static func route(
        _ path: String, _ actions: [(method: HTTPMethod, action: Route.Action)], bodyLimitBytes: Int = 0
    ) -> Route {
        Route(
            path: path, handler: "admin", kind: .admin, bodyLimitBytes: bodyLimitBytes,
            actions: actions.map { method, action in
                let strict: Route.Action = { request, responder in
                    do throws(Problem) { _ = try QueryParameters(request.query, allowed: []) } catch {
                        return responder.fail(error)
                    }
                    action(request, responder)
                }
                return (method, strict)
            })
    }

    private func adminDocument(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter(reservingBytes: 8_192)
        writer.object { object in
            self.writeAdminHead(to: &object)
            members(&object)
            self.gate.writeChecks(to: &object)
        }
        writer.newline()
        return writer.bytes
    }

    /// Every setting with its effective value, the log level as it was set last.
    private func configurationDocument() -> [UInt8] {
        let level = self.logLevel.value
        let isChanged = level != self.settings[self.common.logLevel]
        return self.settings.document(changed: isChanged ? [self.common.logLevel.name: level.rawValue] : [:])
    }

    private func logLevelDocument() -> [UInt8] {
        var writer = JSONWriter()
        writer.object { $0.member("level", self.logLevel.value.rawValue) }
        writer.newline()
        return writer.bytes
    }

    private func setLogLevel(_ request: HTTPRequest, _ responder: Responder, _ authorization: AdminAuthorization) {
        do throws(Problem) {
            try authorization.check(request)
            let level = try Self.logLevel(in: request)
            self.logger.notice(
                "log level changed",
                metadata: ["from": "\(self.logLevel.value)", "to": "\(level)", "request_id": "\(request.id)"])
            self.logLevel.value = level
            responder.respond(.json(.ok, self.logLevelDocument()))
        } catch {
            responder.fail(error)
        }
    }

    private static func logLevel(in request: HTTPRequest) throws(Problem) -> Logger.Level {
        let object: FlatJSONObject
        do { object = try FlatJSONObject(parsing: request.body) } catch {
            throw Problem(
                .badRequest, code: "not_json", detail: "The body is not JSON: \(error.reason) at byte \(error.offset).")
        }
        guard object.names == ["level"], case .string(let text)? = object["level"],
            let level = Logger.Level(rawValue: String(decoding: text, as: UTF8.self))
        else {
            let words = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw Problem(
                .badRequest, code: "bad_json", detail: "Send {\"level\":…} with one of \(words), and nothing else.")
        }
        return level
    }
}
