import HTTP1
package import HTTPServing
package import JSON
import JSONLogging
import Logging
import NIOHTTP1
import ServiceSettings

/// `/admin` and the paths below it. Reading never changes anything; actions check ``AdminAuthorization``.
extension ServiceRuntime {
    /// The answer to a request for one of these routes; a problem is sent as a problem document.
    typealias AdminAnswer = @Sendable (HTTPRequest) throws(Problem) -> HTTPResponse

    /// The documents below `/admin`, as listed by `links` in `/admin`.
    private static let links: [(name: StaticString, path: String)] = [
        ("config", "/admin/config"), ("events", "/admin/events"), ("slow", "/admin/slow"),
        ("log_level", "/admin/log-level"), ("read_only", "/admin/read-only"), ("drain", "/admin/drain"),
        ("metrics", "/metrics"), ("readiness", "/readyz"),
    ]

    /// - Parameter document: writes the members of `GET /admin` that follow the common head.
    package func adminRoutes(
        authorization: AdminAuthorization, document: @escaping @Sendable (inout JSONWriter) -> Void
    ) -> [Route] {
        let logLevel: AdminAnswer = { request throws(Problem) in try self.setLogLevel(request) }
        let readOnly: AdminAnswer = { request throws(Problem) in try self.setReadOnly(request) }
        let drain: AdminAnswer = { request throws(Problem) in try self.setDrain(request) }
        return [
            Self.adminRoute("/admin", get: { _ in .json(.ok, self.adminDocument(document)) }),
            Self.adminRoute("/admin/config", get: { _ in .json(.ok, self.configurationDocument()) }),
            Self.adminRoute(
                "/admin/events", takesQuery: true,
                get: { request throws(Problem) in .json(.ok, try self.eventsDocument(request)) }),
            Self.adminRoute(
                "/admin/slow", takesQuery: true,
                get: { request throws(Problem) in .json(.ok, try self.slowDocument(request)) }),
            Self.adminRoute(
                "/admin/log-level", get: { _ in self.logLevelDocument() }, post: logLevel, authorization),
            Self.adminRoute(
                "/admin/read-only", get: { _ in self.readOnlyDocument() }, post: readOnly, authorization),
            Self.adminRoute("/admin/drain", get: { _ in self.drainDocument() }, post: drain, authorization),
        ]
    }

    private static func adminRoute(
        _ path: String, takesQuery: Bool = false, get: @escaping AdminAnswer, post: AdminAnswer? = nil,
        _ authorization: AdminAuthorization? = nil
    ) -> Route {
        var actions: [(method: HTTPMethod, action: Route.Action)] = [
            (
                .GET,
                { request, responder in
                    Self.answer(responder) { () throws(Problem) in
                        // A parameter that is ignored may have been important to the caller.
                        if !takesQuery { _ = try QueryParameters(request.query, allowed: []) }
                        return try get(request)
                    }
                }
            )
        ]
        if let post, let authorization {
            actions.append(
                (
                    .POST,
                    { request, responder in
                        Self.answer(responder) { () throws(Problem) in
                            try authorization.check(request)
                            _ = try QueryParameters(request.query, allowed: [])
                            return try post(request)
                        }
                    }
                ))
        }
        return Route(
            path: path, handler: "admin", kind: .admin, bodyLimitBytes: post == nil ? 0 : ActionBody.limitBytes,
            actions: actions)
    }

    private static func answer(_ responder: Responder, _ body: () throws(Problem) -> HTTPResponse) {
        do throws(Problem) { responder.respond(try body()) } catch { responder.fail(error) }
    }

    private func adminDocument(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter(reservingBytes: 8_192)
        writer.object { object in
            self.writeAdminHead(to: &object)
            members(&object)
            self.gate.writeChecks(to: &object)
            object.member(
                "links", object: { links in for (name, path) in Self.links { links.member(name, path) } })
        }
        writer.newline()
        return writer.bytes
    }

    /// Every setting with its effective value, including the current log level.
    private func configurationDocument() -> [UInt8] {
        let level = self.logLevel.value
        let isChanged = level != self.settings[self.common.logLevel]
        return self.settings.document(changed: isChanged ? [self.common.logLevel.name: level.rawValue] : [:])
    }
}
