/// Fields that mean something to a server on the way, or to the store.
extension RawRequest {
    private static func old(_ fields: String) -> String {
        "GET /api/get?key={key} HTTP/1.0\r\nHost: a\r\nX-Request-Id: {id}\r\n\(fields)\r\n"
    }

    static let connections: [RawRequest] = [
        last("close", setting("Connection: close")),
        last("close and keep-alive", setting("Connection: close, keep-alive")),
        last("keep-alive and close in two fields", setting("Connection: keep-alive", "Connection: CLOSE")),
        last("HTTP/1.0", old(""), .get()),
        last("HTTP/1.0 with close and keep-alive", old("Connection: keep-alive, close\r\n"), .get()),
        passed("HTTP/1.0 that keeps the connection", old("Connection: keep-alive\r\n"), .get()),
        passed("a word that begins like close", setting("Connection: closed")),
        passed("Proxy-Connection", setting("Proxy-Connection: close", "Keep-Alive: timeout=0")),
        passed("TE", setting("TE: trailers, chunked", "Connection: TE")),
        passed("a connection field that names the length", setting("Connection: Content-Length")),
        passed(
            "a connection field that names the coding",
            chunked("1\r\nx\r\n0\r\n\r\n", "Connection: Transfer-Encoding")),
        passed("a connection field that names the host", setting("Connection: Host, X-Request-Id")),
        passed(
            "a connection field that names a condition", setting("Connection: If-Match", "If-Match: \"9\""),
            .set(status: 412)),
        passed(
            "an upgrade to HTTP/2",
            setting("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")),
        passed("an upgrade to WebSocket", get("Connection: Upgrade", "Upgrade: websocket"), .get()),
        passed("an upgrade to TLS", setting("Connection: Upgrade", "Upgrade: TLS/1.2")),
        passed("an expectation with the value behind it", setting("Expect: 100-Continue")),
        passed("an expectation of a get", get("Expect: 100-continue"), .get()),
        refused("another expectation", setting("Expect: 200-ok"), 417),
        refused("two expectations", setting("Expect: 100-continue", "Expect: 100-continue"), 417),
        refused("a list of expectations", setting("Expect: 100-continue, x"), 417),
        RawRequest(
            name: "two requests, and a third that is not one", text: setting() + get() + "GET / HTTP/9\r\n\r\n",
            statuses: [200, 200, 400], isOpen: false, reaches: [.set(), .get(200)]),
        RawRequest(
            name: "a request, and bytes of another protocol", text: setting() + "\u{16}\u{03}\u{01}",
            statuses: [200, 400], isOpen: false, reaches: [.set()]),
        RawRequest(
            name: "a set, and a delete without a host",
            text: setting() + "DELETE /api/delete?key={key} HTTP/1.1\r\n\r\n", statuses: [200, 400], isOpen: false,
            reaches: [.set()]),
        RawRequest(
            name: "HEAD", text: "HEAD /api/get?key={key} HTTP/1.1\r\nHost: a\r\n\r\n", statuses: [404], isOpen: true,
            reaches: [.get()], isHead: true),
    ]

    static let fields: [RawRequest] = [
        refused("101 fields", get((0..<99).map { "X-\($0): y" }.joined(separator: "\r\n")), 431),
        passed("100 fields", get((0..<98).map { "X-\($0): y" }.joined(separator: "\r\n")), .get()),
        refused("a field of 17,000 bytes", get("X: " + String(repeating: "y", count: 17_000)), 431),
        refused("a name of 17,000 bytes", get(String(repeating: "y", count: 17_000) + ": x"), 431),
        refused(
            "a head of 200,000 bytes that does not end",
            "GET / HTTP/1.1\r\nX: " + String(repeating: "y", count: 200_000), 431),
        passed("addresses of clients", get("X-Forwarded-For: 127.0.0.1, ::1, \"x", "X-Forwarded-For: y"), .get()),
        passed("other fields of proxies", get("Forwarded: for=\"_a;b\";host=c", "X-Real-IP: 1", "Via: 1.1 a"), .get()),
        passed("other names of the host", get("X-Forwarded-Host: b", "X-Forwarded-Proto: gopher"), .get()),
        passed("paths of other servers", get("X-Original-URL: /admin", "X-Rewrite-URL: /kv/delete"), .get()),
        passed("two request ids", get("X-Request-Id: other"), .get()),
        passed(
            "a request id with blanks", "GET /api/get?key={key} HTTP/1.1\r\nHost: a\r\nX-Request-Id: a b\r\n\r\n",
            .get()),
        passed(
            "a request id in quotes", "GET /api/get?key={key} HTTP/1.1\r\nHost: a\r\nX-Request-Id: \"}{\r\n\r\n", .get()
        ),
        passed("a trace that is none", get("traceparent: 00-0-0-01", "tracestate: ,,="), .get()),
        passed(
            "two traces",
            get(
                "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"), .get()),
        passed("an access key that nobody asked for", get("Authorization: Bearer a\u{E9}", "Cookie: a=b"), .get()),
        passed("types that nobody knows", get("Accept: ;q=x, */*;q=2, \u{FF}", "Accept-Encoding: *;q=0"), .get()),
        passed("a range of a get", get("Range: bytes=0-0", "If-Range: \"1\""), .get()),
        passed("a condition of a get that is none", get("If-None-Match: W/\"x, \"\"", "If-Match: \"1\""), .get()),
    ]

    static let writeFields: [RawRequest] = [
        answered("an empty idempotency key", setting("Idempotency-Key:"), 400),
        answered("an idempotency key with a blank", setting("Idempotency-Key: a b"), 400),
        answered("an idempotency key that is not ASCII", setting("Idempotency-Key: \u{E9}"), 400),
        answered("two idempotency keys", setting("Idempotency-Key: {key}", "Idempotency-Key: {key}"), 400),
        answered(
            "an idempotency key of 129 bytes", setting("Idempotency-Key: " + String(repeating: "k", count: 129)), 400),
        passed("an idempotency key with a comma", setting("Idempotency-Key: {key},\"x\"")),
        RawRequest(
            name: "an idempotency key of two writes",
            text: setting("Idempotency-Key: {key}") + put("Idempotency-Key: {key}", "Content-Length: 1", body: "y"),
            statuses: [200, 422], isOpen: true, reaches: [.set(), .set(status: 422)]),
        answered("a list of revisions", setting("If-Match: \"1\", \"2\""), 400),
        answered("a weak revision", setting("If-Match: W/\"1\""), 400),
        answered("a revision without quotes", setting("If-Match: 1"), 400),
        answered("a revision of 0", setting("If-Match: \"0\""), 400),
        answered("a revision beyond 64 bits", setting("If-Match: \"18446744073709551616\""), 400),
        answered("two conditions of a kind", setting("If-Match: *", "If-Match: *"), 400),
        answered("two conditions", setting("If-Match: *", "If-None-Match: *"), 400),
        answered("a revision that must not be", setting("If-None-Match: \"1\""), 400),
        answered("a condition of time", setting("If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT"), 400),
        answered("a range of a set", setting("Content-Range: bytes 0-0/1"), 400),
        passed("the condition that there is a key", setting("If-Match: *"), .set(status: 412)),
        passed("the condition that there is none", setting("If-None-Match: *")),
        answered("a time-out that is not one", setting("X-Request-Timeout-Ms: 1s"), 400),
        answered("two time-outs", setting("X-Request-Timeout-Ms: 9000", "X-Request-Timeout-Ms: 9000"), 400),
        answered("a time-out of 0", setting("X-Request-Timeout-Ms: 0"), 504),
        passed("a time-out of ten digits", setting("X-Request-Timeout-Ms: 9999999999")),
        answered("no type", "PUT /api/set?key={key} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 415),
        answered("two types", setting("Content-Type: application/json"), 415),
        answered("a coded value", setting("Content-Encoding: gzip"), 415),
    ]
}
