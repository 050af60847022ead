import AccessControl
import Admin
import HTTP1
import HTTPServing
import KeyValueStore
import NIOHTTP1
import SystemSupport

/// `GET /admin/backup`.
struct BackupRoute: Sendable {
    static let problems = [
        ProblemKind(409, "backup_running"), ProblemKind(503, "starting"), ProblemKind(503, "backup_failed"),
    ]

    static let running = Problem(
        .conflict, code: "backup_running", detail: "A backup is running; /admin shows its progress.")

    let holder: EngineHolder
    let figures: BackupFigures
    let authorization: AdminAuthorization
    let onEvent: BackupRun.Observer

    var route: Route {
        Route(
            path: "/admin/backup", handler: "admin", kind: .admin, access: .role(.admin), actions: [(.get, self.begin)])
    }

    private func begin(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            // It reads, but everything, and has the disk and the network busy.
            try self.authorization.check(request)
            _ = try QueryParameters(request.query, allowed: [])
            let engine = try self.holder.openedLog()
            guard self.figures.begin() else { throw Self.running }
            try BackupRun(responder, self.figures, onEvent: self.onEvent).start(engine)
        } catch {
            responder.fail(error)
        }
    }
}
