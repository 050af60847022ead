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
            Route(
                path: "/admin", handler: "admin", kind: .admin,
                actions: [
                    (
                        .GET,
                        { _, responder in
                            var writer = JSONWriter(reservingBytes: 8_192)
                            writer.object { object in
                                self.writeAdminHead(to: &object)
                                document(&object)
                                self.gate.writeChecks(to: &object)
                            }
                            writer.newline()
                            responder.respond(.json(.ok, writer.bytes))
                        }
                    )
                ]),
            Route(
                path: "/admin/config", handler: "admin", kind: .admin,
                actions: [(.GET, { _, responder in responder.respond(.json(.ok, self.configurationDocument())) })]),
            Route(
                path: "/admin/log-level", handler: "admin", kind: .admin, bodyLimitBytes: 1_024,
                actions: [
                    (.GET, { _, responder in responder.respond(.json(.ok, self.logLevelDocument())) }),
                    (.POST, { request, responder in self.setLogLevel(request, responder, authorization) }),
                ]),
        ]
    }

    /// Every setting with its effective value and where it was given.
    private func configurationDocument() -> [UInt8] {
        var writer = JSONWriter(reservingBytes: 4_096)
        writer.object { document in
            document.member(
                "settings",
                array: { settings in
                    for entry in self.settings.entries {
                        settings.element(object: { setting in
                            setting.member("name", entry.name)
                            setting.member("value", entry.text)
                            setting.member("source", entry.source.label)
                            setting.member("environment_variable", entry.environmentVariable)
                        })
                    }
                })
        }
        writer.newline()
        return writer.bytes
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
