import Synchronization
import TestSupport

/// A kv-service that answers `/metrics` and `/admin` as a test wants, and whose compaction takes as many polls as the
/// test wants.
final class FakeKVService: Sendable {
    struct State: Sendable {
        /// Answers to `POST /admin/compact`, of which there should be one for each question that was said yes to.
        var compactions = 0
        /// The progress of a run, nil while none is under way.
        var progress: Double?
        var hasRun = false
        /// The answer to `POST /admin/compact`.
        var refusal: (status: Int, body: String)?
        var authorization: String?
        var requests = 0
        /// Each answer takes so long to come.
        var delayMilliseconds: Int64 = 0
        /// Whether only the first byte of a body is sent, and the connection is kept until the client closes it.
        var keepsBodyBack = false
        /// `last_error` of the log.
        var logError: String?
    }

    let port: UInt16
    private let server: FakeHTTPServer

    /// What the test sets and the server answers with.
    final class SharedState: Sendable {
        private let mutex = Mutex(State())

        func withLock<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
            self.mutex.withLock { state in body(&state) }
        }
    }

    let state = SharedState()

    init() throws {
        let state = self.state
        self.server = FakeHTTPServer { request in state.withLock { Self.steps(for: request, &$0) } }
        self.port = UInt16(try self.server.startAndWait())
    }

    deinit { self.server.stopLater() }

    /// One request for each connection: what a client of this test needs.
    private static func steps(for request: FakeRequest, _ state: inout State) -> [FakeStep] {
        let (status, body) = self.answer(request, &state)
        let head = "HTTP/1.1 \(status) Status\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
        let delay = FakeStep.wait(milliseconds: state.delayMilliseconds)
        if state.keepsBodyBack { return [delay, .text(head + body.prefix(1))] }
        return [delay, .text(head + body), .close]
    }

    private static func answer(_ request: FakeRequest, _ state: inout State) -> (status: Int, body: String) {
        state.requests += 1
        switch (request.method, request.target) {
        case ("POST", "/admin/compact"):
            state.compactions += 1
            state.authorization = request.fields["authorization"]
            if let refusal = state.refusal { return refusal }
            state.progress = 0
            return (202, #"{"run_id":7}"#)
        case ("GET", "/metrics"):
            return (
                200,
                """
                http_requests_total{handler="kv_get",status="200"} \(state.requests)
                http_request_duration_seconds_bucket{handler="kv_get",le="0.001"} \(state.requests)
                http_request_duration_seconds_bucket{handler="kv_get",le="+Inf"} \(state.requests)
                process_start_time_seconds 1

                """
            )
        case ("GET", "/admin"): return (200, self.admin(state))
        default: return (404, #"{"status":404}"#)
        }
    }

    /// `/admin` in that state.
    static func admin(_ state: State) -> String {
        let last =
            state.hasRun
            ? """
            {"trigger":"admin","result":"ok","started_at":"2026-11-22T13:21:07.000Z","duration_seconds":22.1,
             "bytes_before":4320000000,"bytes_after":3420000000,"error":null}
            """ : "null"
        let run = #"{"id":7,"trigger":"admin","bytes_read":412000000,"bytes_written":118000000,"eta_seconds":8}"#
        let isRunning = state.progress != nil
        return """
            {"service":"kv-service","version":"0.1.0","state":"ready","uptime_seconds":5,
             "log":{"size_bytes":3420000000,"live_bytes":2430000000,"garbage_ratio":0.2895,"fsync_policy":"always",
              "last_error":\(state.logError.map { "\"\($0)\"" } ?? "null")},
             "compaction":{"running":\(isRunning),"phase":\(isRunning ? "\"snapshot\"" : "null"),
              "progress_ratio":\(state.progress.map { "\($0)" } ?? "null"),"run":\(isRunning ? run : "null"),
              "last":\(last),"runs_total":\(state.hasRun ? 1 : 0),"threshold_ratio":0.5}}
            """
    }
}
