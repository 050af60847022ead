import HTTP1
import HTTPServing
import JSON
import NIOHTTP1
import SystemSupport

/// `GET /`, which names the service and what there is on this address.
enum ServiceIndex {
    /// These routes, and the one that names them.
    static func added(to routes: [Route], of service: String) -> [Route] {
        let bytes = self.document(service, routes)
        let index: Route.Action = { request, responder in
            do throws(Problem) {
                _ = try QueryParameters(request.query, allowed: [])
                responder.respond(.json(.ok, bytes))
            } catch {
                responder.fail(error)
            }
        }
        return routes + [Route(path: "/", handler: "index", kind: .probe, access: .open, actions: [(.get, index)])]
    }

    private static func document(_ service: String, _ routes: [Route]) -> [UInt8] {
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
                                    for (method, _) in route.actions { methods.element(method.name.description) }
                                })
                        })
                    }
                })
        }
        writer.newline()
        return writer.bytes
    }
}
