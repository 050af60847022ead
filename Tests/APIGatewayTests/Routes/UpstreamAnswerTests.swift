import TestSupport
import Testing

@testable import APIGateway

@Suite("An answer of kv-service", .timeLimit(.minutes(1)))
struct UpstreamAnswerTests {
    @Test func `that the key is missing is a missing key`() async throws {
        let upstream = FakeHTTPServer { _ in FakeAnswer.missing }
        try await withGateway(upstream: upstream) { gateway in
            let answer = await gateway.get("k")
            #expect(answer.status == 404)
            #expect(answer.code == "key_not_found")
            #expect(answer.headers["X-KV-Result"] == "miss")
            #expect(upstream.connections == 1)
        }
    }

    @Test(arguments: [
        FakeAnswer.answer("404 Not Found", type: "text/html", Array("<h1>Not found</h1>".utf8)),
        FakeAnswer.problem("404 Not Found", #"{"code":"route_not_found","detail":"no such route"}"#),
        FakeAnswer.problem("404 Not Found", #"{"code":"key_not_found","detail":"no such key"}"#),
        FakeAnswer.problem("404 Not Found", "", fields: "X-KV-Result: miss\r\n"),
        FakeAnswer.json(
            #"{"code":"key_not_found","detail":"x"}"#, status: "404 Not Found", fields: "X-KV-Result: miss\r\n"),
    ])
    func `with 404 for any other reason is no missing key`(steps: [FakeStep]) async throws {
        try await withGateway(upstream: FakeHTTPServer { _ in steps }) { gateway in
            let answer = await gateway.get("k")
            #expect(answer.status == 502)
            #expect(answer.code == "upstream_invalid")
        }
    }

    @Test(arguments: [("401 Unauthorized", "unauthorized"), ("403 Forbidden", "forbidden")])
    func `that refuses the gateway itself is not the client's fault, and nothing was written`(
        status: String, code: String
    ) async throws {
        let upstream = FakeHTTPServer { _ in
            FakeAnswer.problem(
                status, #"{"code":"\#(code)","detail":"The access key of gateway has expired.","applied":"no"}"#,
                fields: "WWW-Authenticate: Bearer realm=\"kv-service\"\r\n")
        }
        try await withGateway(upstream: upstream) { gateway in
            let write = await gateway.set("k", "v")
            #expect(write.status == 502 && write.code == "upstream_access_denied" && write.applied == "no")
            let read = await gateway.get("k")
            #expect(read.status == 502 && read.code == "upstream_access_denied" && read.applied == nil)
            #expect(!write.text.contains("expired"))
            #expect(write.headers["WWW-Authenticate"] == nil)
            #expect(upstream.requests.count == 2)
        }
    }

    @Test(arguments: [
        ("400 Bad Request", "key_too_large", "no"), ("413 Content Too Large", "value_too_large", "no"),
        ("414 URI Too Long", "target_too_long", "no"), ("431 Fields Too Large", "headers_too_large", "no"),
        ("500 Internal Server Error", "internal_error", "unknown"),
        ("507 Insufficient Storage", "disk_full", "no"), ("503 Service Unavailable", "store_failed", "unknown"),
        ("503 Service Unavailable", "overloaded", "no"), ("504 Gateway Timeout", "deadline_exceeded", "yes"),
    ])
    func `that refuses a write is passed on`(status: String, code: String, applied: String) async throws {
        let upstream = FakeHTTPServer { _ in
            FakeAnswer.problem(
                status,
                #"{"code":"\#(code)","detail":"Why.","applied":"\#(applied)","request_id":"other","extra":null}"#,
                fields: "Retry-After: 2\r\n"
            )
        }
        try await withGateway(upstream: upstream) { gateway in
            let answer = await gateway.set("k", "v")
            #expect("\(answer.status)" == status.prefix(3))
            #expect(answer.code == code)
            #expect(answer.applied == applied)
            #expect(answer.headers["Retry-After"] == "2")
            #expect(answer.text.contains(#""detail":"Why.""#))
            #expect(answer.text.contains(#""request_id":"request-1""#))
            // Never retried: a service that sheds load must not get more of it.
            #expect(upstream.requests.count == 1)
        }
    }

    @Test func `that refuses a write without saying whether it was applied leaves that unknown`() async throws {
        let upstream = FakeHTTPServer { _ in
            FakeAnswer.problem("503 Service Unavailable", #"{"code":"x","detail":"y"}"#)
        }
        try await withGateway(upstream: upstream) { gateway in
            #expect(await gateway.set("k", "v").applied == "unknown")
            #expect(await gateway.get("k").applied == nil)
        }
    }

    @Test func `that refuses the connection says that the write was not applied`() async throws {
        let upstream = FakeHTTPServer(onConnect: { $0 <= 2 ? FakeAnswer.connectionRefused() : [] }) { request in
            request.connection <= 2 ? [] : FakeAnswer.stored(1)
        }
        try await withGateway(upstream: upstream) { gateway in
            let write = await gateway.set("k", "v")
            #expect(write.status == 503)
            #expect(write.code == "too_many_connections")
            #expect(write.applied == "no")
            #expect(write.headers["Retry-After"] == "1")
            #expect(write.text.contains("kv-service did not accept the request: All 2 connections are in use."))
            #expect(write.attempts == 1)
            let read = await gateway.get("k")
            #expect(read.status == 503)
            #expect(read.applied == nil)
            // The connection is not used again.
            #expect(await gateway.set("k", "v").status == 200)
            #expect(upstream.connections == 3)
        }
    }

    @Test(
        arguments: [
            ("\"5\"", 6, true), ("\"5\"", 4, true), ("\"5\"", nil, true), ("\"5\"", 5, false), ("\"5\"", 0, false),
            ("*", nil, true), ("*", 5, false), (nil, nil, false), (nil, 5, false),
        ] as [(String?, UInt64?, Bool)])
    func `that a condition is not met is passed on if it fits the condition`(
        ifMatch: String?, revision: UInt64?, fits: Bool
    ) async throws {
        let upstream = FakeHTTPServer { _ in FakeAnswer.preconditionFailed(revision) }
        try await withGateway(upstream: upstream) { gateway in
            let headers = ifMatch.map { [("If-Match", $0)] } ?? []
            for answer in [
                await gateway.set("k", "v", headers: headers), await gateway.delete("k", headers: headers),
            ] {
                #expect(answer.status == (fits ? 412 : 502))
                #expect(answer.code == (fits ? "precondition_failed" : "upstream_invalid"))
                #expect(answer.applied == (fits ? "no" : "unknown"))
                if !fits { continue }
                #expect(answer.headers["ETag"] == revision.map { "\"\($0)\"" })
                #expect(answer.text.hasSuffix((revision.map { ",\"revision\":\($0)" } ?? "") + "}\n"), "\(answer.text)")
            }
            #expect(upstream.requests.count == 2)
        }
    }

    @Test(
        arguments: [
            FakeAnswer.preconditionFailed(nil), FakeAnswer.preconditionFailed(4, tag: "\"3\""),
            FakeAnswer.preconditionFailed(4, tag: "W/\"4\""), FakeAnswer.preconditionFailed(nil, tag: "\"4\""),
            FakeAnswer.preconditionFailed(4, code: "other"), FakeAnswer.preconditionFailed(4, applied: "unknown"),
            FakeAnswer.json(#"{"code":"precondition_failed","detail":"x","revision":4}"#, status: "412 Nothing"),
        ])
    func `with 412 that contradicts itself or the condition is not from kv-service`(steps: [FakeStep]) async throws {
        try await withGateway(upstream: FakeHTTPServer { _ in steps }) { gateway in
            let answer = await gateway.set("k", "v", headers: [("If-None-Match", "*")])
            #expect(answer.status == 502 && answer.code == "upstream_invalid" && answer.applied == "unknown")
        }
    }

    @Test func `with 412 to a read is not from kv-service`() async throws {
        try await withGateway(upstream: FakeHTTPServer { _ in FakeAnswer.preconditionFailed(4) }) { gateway in
            #expect(await gateway.get("k", headers: [("If-None-Match", "*")]).code == "upstream_invalid")
        }
    }

    @Test(arguments: [
        ("414 URI Too Long", "target_too_long"), ("431 Fields Too Large", "headers_too_large"),
        ("431 Fields Too Large", "too_many_headers"),
    ])
    func `that refuses a head unread fails that request alone`(status: String, code: String) async throws {
        let refusal = FakeAnswer.problem(
            status, #"{"code":"\#(code)","detail":"At most 9 bytes."}"#,
            fields: "X-Request-Id: kv-1\r\nConnection: close\r\n")
        let upstream = FakeHTTPServer { $0.key == [1] ? refusal : FakeAnswer.stored(1) }
        try await withGateway(breakerFailures: 1, upstream: upstream) { gateway in
            for _ in 1...3 {
                let write = await gateway.set(key: [1], value: [])
                #expect("\(write.status)" == status.prefix(3))
                #expect(write.code == code)
                #expect(write.applied == "no")
                #expect(write.text.contains("At most 9 bytes."))
            }
            #expect(await gateway.set(key: [2], value: []).status == 200)
        }
    }

    @Test func `that is larger than the gateway passes on fails that key alone, and names the limit`() async throws {
        let upstream = FakeHTTPServer { request in
            switch request.key {
            case [1]: FakeAnswer.value([UInt8](repeating: 0, count: 70_000), revision: 1)
            case [2]:
                [
                    .text(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nETag: \"1\"\r\n"
                            + "Content-Length: 99999999999\r\n\r\n")
                ]
            default: FakeAnswer.value([UInt8](repeating: 0, count: 65_536), revision: 1)
            }
        }
        try await withGateway(breakerFailures: 1, upstream: upstream) { gateway in
            for key in [[1], [1], [2]] as [[UInt8]] {
                let answer = await gateway.get(key: key)
                #expect(answer.status == 502)
                #expect(answer.code == "value_too_large")
                #expect(answer.text.contains("at most 65536 (--max-value-bytes)"))
                #expect(answer.applied == nil)
            }
            #expect(await gateway.get(key: [3]).status == 200)
            #expect(gateway.monitor.circuit(.reads).state == .closed)
            #expect(gateway.monitor.metrics.failuresTotal.filter { $0.count > 0 }.map(\.reason) == ["answer_too_large"])
            #expect(gateway.monitor.metrics.failuresTotal.reduce(0) { $0 + $1.count } == 3)
            #expect(gateway.monitor.lastFailure == nil)
        }
    }

    @Test(arguments: [
        FakeAnswer.connectionRefused(code: "overloaded"), FakeAnswer.connectionRefused(fields: ""),
        FakeAnswer.json(
            #"{"code":"too_many_connections","detail":"x"}"#, status: "503 Service Unavailable",
            fields: "X-Request-Id: kv-1\r\nConnection: close\r\n"),
        FakeAnswer.problem(
            "500 Internal Server Error", #"{"code":"too_many_connections","detail":"x"}"#,
            fields: "X-Request-Id: kv-1\r\nConnection: close\r\n"),
    ])
    func `to another request is taken for nothing else`(steps: [FakeStep]) async throws {
        try await withGateway(upstream: FakeHTTPServer { _ in steps }) { gateway in
            let answer = await gateway.set("k", "v")
            #expect(answer.code == "upstream_invalid")
            #expect(answer.text.contains("an answer to another request"))
            #expect(answer.applied == "unknown")
        }
    }

    static let nonsense: [(name: String, steps: [FakeStep])] = [
        ("no HTTP", [.text("hello, world\r\n\r\n")]),
        ("another protocol", [.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00])]),
        ("HTTP/2.0", [.text("HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n")]),
        ("no JSON", FakeAnswer.json("{")),
        ("nothing", FakeAnswer.json("")),
        ("an array", FakeAnswer.json("[]")),
        ("no revision", FakeAnswer.json(#"{"status":"ok","message":"value set"}"#)),
        ("a revision as text", FakeAnswer.json(#"{"status":"ok","revision":"7"}"#)),
        ("a negative revision", FakeAnswer.json(#"{"status":"ok","revision":-7}"#)),
        ("a broken revision", FakeAnswer.json(#"{"status":"ok","revision":7.5}"#)),
        ("two revisions", FakeAnswer.json(#"{"status":"ok","revision":7}"#, fields: "ETag: \"8\"\r\n")),
        ("another status", FakeAnswer.json(#"{"status":"error","revision":7}"#)),
        ("another type", FakeAnswer.answer("200 OK", type: "text/plain", Array(#"{"status":"ok","revision":7}"#.utf8))),
        ("no type", [.text("HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n{\"status\":\"ok\",\"revision\":7}")]),
        ("no length", [.text("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}"), .close]),
        ("two lengths", [.text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}")]),
        ("a broken chunk", [.text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")]),
        ("too long", FakeAnswer.answer("200 OK", type: "application/json", [UInt8](repeating: 32, count: 70000))),
        (
            "endless",
            [
                .text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11170\r\n"),
                .send([UInt8](repeating: 32, count: 70000)),
            ]
        ),
        ("a long field", [.text("HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 20000))\r\n\r\n")]),
        ("another request's", FakeAnswer.json(#"{"status":"ok","revision":7}"#, fields: "X-Request-Id: other\r\n")),
        ("created", FakeAnswer.json(#"{"status":"ok","revision":7}"#, status: "201 Created")),
        ("no content", [.text("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")]),
        ("elsewhere", [.text("HTTP/1.1 301 Moved\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n")]),
        ("an upgrade", [.text("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n")]),
        ("method not allowed", FakeAnswer.problem("405 No", #"{"code":"method_not_allowed","detail":"x"}"#)),
        ("unsupported", FakeAnswer.problem("415 No", #"{"code":"unsupported_media_type","detail":"x"}"#)),
        ("an error", FakeAnswer.answer("500 Oops", type: "text/html", Array("<h1>".utf8))),
        ("an unexplained 503", FakeAnswer.answer("503 No", type: "text/html", Array("<h1>".utf8))),
        ("a hostile code", FakeAnswer.problem("503 No", #"{"code":"A b","detail":"x"}"#)),
        ("no code", FakeAnswer.problem("400 No", #"{"detail":"x"}"#)),
    ]

    @Test(arguments: nonsense)
    func `that kv-service does not give is a 502`(name: String, steps: [FakeStep]) async throws {
        let upstream = FakeHTTPServer { _ in steps }
        try await withGateway(upstream: upstream) { gateway in
            let set = await gateway.set("k", "v")
            #expect(set.status == 502, "\(name)")
            #expect(set.code == "upstream_invalid", "\(name)")
            #expect(set.applied == "unknown", "\(name)")
            #expect(upstream.requests.count == 1, "\(name)")
            let get = await gateway.get("k")
            #expect(get.status == 502, "\(name)")
            #expect(get.code == "upstream_invalid", "\(name)")
            #expect(get.applied == nil, "\(name)")
            let delete = await gateway.delete("k")
            #expect(delete.status == 502, "\(name)")
            #expect(delete.applied == "unknown", "\(name)")
        }
    }

    @Test func `of a value needs its type and its revision`() async throws {
        let wrong: [[FakeStep]] = [
            FakeAnswer.answer("200 OK", type: "application/octet-stream", [1]),
            FakeAnswer.answer("200 OK", type: "application/json", [1], fields: "ETag: \"1\"\r\n"),
            FakeAnswer.answer("200 OK", type: "application/octet-stream", [1], fields: "ETag: W/\"1\"\r\n"),
        ]
        for steps in wrong {
            try await withGateway(upstream: FakeHTTPServer { _ in steps }) { gateway in
                #expect(await gateway.get("k").code == "upstream_invalid")
            }
        }
    }

    @Test func `with more behind it is taken, and its connection is not used again`() async throws {
        let upstream = FakeHTTPServer { request in
            guard request.connection == 1 else { return FakeAnswer.value([2], revision: 2) }
            return [
                .text(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nETag: \"1\"\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                )
            ]
        }
        try await withGateway(upstream: upstream) { gateway in
            #expect(await gateway.get("k").text == #"{"status":"ok","value":"1","revision":1}"# + "\n")
            let second = await gateway.get("k", headers: [("Accept", "application/octet-stream")])
            #expect(second.body == [2])
            #expect(upstream.connections == 2)
        }
    }

    @Test func `that closes the connection is taken, and the next request opens another`() async throws {
        let upstream = FakeHTTPServer { _ in
            FakeAnswer.json(
                #"{"status":"ok","message":"value set","revision":1}"#,
                fields: "Connection: close\r\n"
            ) + [.close]
        }
        try await withGateway(upstream: upstream) { gateway in
            for _ in 0..<5 { #expect(await gateway.set("k", "v").status == 200) }
            #expect(upstream.connections == 5)
        }
    }
}
