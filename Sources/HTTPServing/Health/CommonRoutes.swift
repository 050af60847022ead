import HTTP1
import JSON
import NIOHTTP1
import SystemSupport

/// The routes that both services have: health, readiness and metrics.
package enum CommonRoutes {
    /// `GET /health`, `/livez`, `/healthz` and `/readyz`, answered in every state of the service.
    package static func health(gate: ServiceGate) -> [Route] {
        let alive: Route.Action = { _, responder in responder.respond(Self.aliveDocument()) }
        return [
            Route(path: "/health", handler: "health", kind: .probe, actions: [(.GET, alive)]),
            Route(path: "/livez", handler: "livez", kind: .probe, actions: [(.GET, alive)]),
            Route(path: "/healthz", handler: "livez", kind: .probe, actions: [(.GET, alive)]),
            Route(
                path: "/readyz",
                handler: "readyz",
                kind: .probe,
                actions: [
                    (
                        .GET,
                        { _, responder in
                            let readiness = gate.readiness()
                            let status: HTTPResponseStatus = readiness.isReady ? .ok : .serviceUnavailable
                            responder.respond(
                                .json(
                                    status,
                                    readiness.document,
                                    headers: readiness.isReady ? [] : [("Retry-After", "1")]
                                )
                            )
                        }
                    )
                ]
            ),
        ]
    }

    /// `GET /metrics`.
    package static func metrics(_ scrape: MetricsScrape) -> [Route] {
        [Route(path: "/metrics", handler: "metrics", kind: .probe, actions: [(.GET, scrape.answer)])]
    }

    /// These routes and `GET /`, which lists the routes of this address.
    package static func withIndex(of service: String, _ routes: [Route]) -> [Route] {
        var writer = JSONWriter(reservingBytes: 1_024)
        writer.object { document in
            document.member("service", service)
            document.member("version", BuildInfo.version)
            document.member(
                "endpoints",
                array: { endpoints in
                    for route in routes {
                        endpoints.element(object: { endpoint in
                            endpoint.member("path", route.path)
                            endpoint.member(
                                "methods",
                                array: { methods in
                                    for (method, _) in route.actions { methods.element(method.rawValue) }
                                })
                        })
                    }
                })
        }
        writer.newline()
        let bytes = writer.bytes
        let index: Route.Action = { request, responder in
            do throws(Problem) {
                _ = try QueryParameters(request.query, allowed: [])
                responder.respond(.json(.ok, bytes))
            } catch {
                responder.fail(error)
            }
        }
        return routes + [Route(path: "/", handler: "index", kind: .probe, actions: [(.GET, index)])]
    }

    private static func aliveDocument() -> HTTPResponse {
        var writer = JSONWriter(reservingBytes: 64)
        writer.object { document in
            document.member("status", "ok")
            document.member("time", Timestamp.nowRFC3339())
        }
        writer.newline()
        return .json(.ok, writer.bytes)
    }
}
