import HTTP1
public import HTTPServing
import JSON
import NIOHTTP1

/// `GET /health`, `/livez`, `/healthz` and `/readyz`, answered in every state of the service.
public enum HealthRoutes {
    public static func routes(of gate: ServiceGate) -> [Route] {
        let alive: Route.Action = { _, responder in responder.respond(Self.aliveDocument()) }
        return [
            Route(path: "/health", handler: "health", kind: .probe, access: .open, actions: [(.get, alive)]),
            Route(path: "/livez", handler: "livez", kind: .probe, access: .open, actions: [(.get, alive)]),
            Route(path: "/healthz", handler: "livez", kind: .probe, access: .open, actions: [(.get, alive)]),
            Route(
                path: "/readyz",
                handler: "readyz",
                kind: .probe,
                access: .open,
                actions: [
                    (
                        .get,
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
