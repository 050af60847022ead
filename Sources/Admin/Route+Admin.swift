import AccessControl
import HTTP1
import HTTPServing
import JSON
import NIOHTTP1

/// `/admin` and the paths below it. Reading never changes anything; actions check ``AdminAuthorization``.
extension Route {
    /// The answer to a request for one of these routes; a problem is sent as a problem document.
    typealias AdminAnswer = @Sendable (HTTPRequest) throws(Problem) -> HTTPResponse

    /// - Parameters:
    ///   - takesQuery: whether `get` looks at the query; any is refused if not.
    ///   - post: the action, which is carried out if `authorization` permits it.
    static func admin(
        _ path: String, takesQuery: Bool = false, get: @escaping AdminAnswer, post: AdminAnswer? = nil,
        _ authorization: AdminAuthorization? = nil
    ) -> Route {
        var actions: [(method: RequestMethod, action: Route.Action)] = [
            (
                .get,
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
                    .post,
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
            path: path, handler: "admin", kind: .admin, access: .role(.monitor, acting: .admin),
            bodyLimitBytes: post == nil ? 0 : ActionBody.limitBytes,
            actions: actions)
    }

    private static func answer(_ responder: Responder, _ body: () throws(Problem) -> HTTPResponse) {
        do throws(Problem) { responder.respond(try body()) } catch { responder.fail(error) }
    }
}

extension HTTPResponse {
    /// What an action's route answers: the state of what it changes.
    static func action(_ members: (inout JSONWriter) -> Void) -> HTTPResponse {
        var writer = JSONWriter()
        writer.object(members)
        writer.newline()
        return .json(.ok, writer.bytes)
    }
}
