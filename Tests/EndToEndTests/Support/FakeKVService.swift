import Glibc
import Synchronization

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
        var delayMilliseconds: UInt32 = 0
        /// Whether only the first byte of a body is sent, and the connection is kept until the client closes it.
        var keepsBodyBack = false
        /// `last_error` of the log.
        var logError: String?
    }

    let port: UInt16
    let state = Mutex(State())
    private let listener: Int32

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, size) == 0 && listen(descriptor, 64) == 0
                    ? getsockname(descriptor, address, &size) : -1
            }
        }
        guard code == 0 else { throw SystemCallError(call: "bind", code: errno) }
        self.listener = descriptor
        self.port = UInt16(bigEndian: address.sin_port)
        Threads.detach { [descriptor, weak self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0, let self else {
                    if connection >= 0 { close(connection) }
                    return
                }
                // A client may open connections that it does not use at once.
                Threads.detach { self.serve(connection) }
            }
        }
    }

    deinit {
        shutdown(self.listener, Int32(SHUT_RDWR))
        close(self.listener)
    }

    /// One request for each connection: what a client of this test needs.
    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var timeout = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var request = ""
        var chunk = [UInt8](repeating: 0, count: 8_192)
        while !request.contains("\r\n\r\n") {
            let count = read(connection, &chunk, chunk.count)
            guard count > 0 else { return }
            request += String(decoding: chunk[..<count], as: UTF8.self)
        }
        let (status, body) = self.answer(request)
        usleep(self.state.withLock { $0.delayMilliseconds } * 1_000)
        let text =
            "HTTP/1.1 \(status) Status\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
        let keepsBodyBack = self.state.withLock { $0.keepsBodyBack }
        let count = text.utf8.count - (keepsBodyBack ? body.utf8.count - 1 : 0)
        _ = send(connection, text, count, Int32(MSG_NOSIGNAL))
        if !keepsBodyBack { return }
        timeout.tv_sec = 20
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        _ = read(connection, &chunk, chunk.count)
    }

    private func answer(_ request: String) -> (status: Int, body: String) {
        let line = request.split(separator: "\r\n").first ?? ""
        let target = line.split(separator: " ").dropFirst().first ?? ""
        return self.state.withLock { state in
            state.requests += 1
            switch (line.hasPrefix("POST "), target) {
            case (true, "/admin/compact"):
                state.compactions += 1
                state.authorization = request.split(separator: "\r\n").first {
                    $0.lowercased().hasPrefix("authorization:")
                }.map(String.init)
                if let refusal = state.refusal { return refusal }
                state.progress = 0
                return (202, #"{"run_id":7}"#)
            case (false, "/metrics"):
                return (
                    200,
                    """
                    http_requests_total{handler="kv_get",status="200"} \(state.requests)
                    http_request_duration_seconds_bucket{handler="kv_get",le="0.001"} \(state.requests)
                    http_request_duration_seconds_bucket{handler="kv_get",le="+Inf"} \(state.requests)
                    process_start_time_seconds 1

                    """
                )
            case (false, "/admin"): return (200, Self.admin(state))
            default: return (404, #"{"status":404}"#)
            }
        }
    }

    private static func admin(_ state: State) -> String {
        let last =
            state.hasRun
            ? """
            {"trigger":"admin","result":"ok","started_at":"2026-11-22T13:21:07Z","duration_seconds":22.1,
             "bytes_before":4320000000,"bytes_after":3420000000,"error":null}
            """ : "null"
        return """
            {"service":"kv-service","version":"0.1.0","state":"ready","uptime_seconds":5,
             "log":{"size_bytes":3420000000,"live_bytes":2430000000,"garbage_ratio":0.2895,"fsync_policy":"always",
              "last_error":\(state.logError.map { "\"\($0)\"" } ?? "null")},
             "compaction":{"running":\(state.progress != nil),"phase":"copying",
              "progress_ratio":\(state.progress.map { "\($0)" } ?? "null"),"bytes_read":412000000,
              "bytes_written":118000000,"eta_seconds":8,"last":\(last),"runs_total":\(state.hasRun ? 1 : 0),
              "threshold_ratio":0.5}}
            """
    }
}
