import TestSupport

/// A kind of answers that the gateway must not take for kv-service's.
struct UpstreamGarbage: Sendable, CustomStringConvertible {
    typealias Steps = @Sendable (FakeRequest, HTTPAnswer) -> [FakeStep]

    let description: String
    /// What the gateway may tell its client.
    let codes: Set<String>
    /// What it must say of a write that was sent: nil if the answer is a true one and only what follows is not.
    var applied: String? = "unknown"
    /// Whether kv-service gets the request.
    var isForwarded = false
    /// What is sent, with kv-service's own answer if it is forwarded, else with one that fits the request.
    let steps: Steps

    static func nothingReached(
        _ name: String, _ codes: Set<String> = ["upstream_invalid"], steps: @escaping Steps
    ) -> UpstreamGarbage {
        UpstreamGarbage(description: name, codes: codes, steps: steps)
    }

    static func spoiled(
        _ name: String, _ codes: Set<String> = ["upstream_invalid"], steps: @escaping Steps
    ) -> UpstreamGarbage {
        UpstreamGarbage(description: name, codes: codes, isForwarded: true, steps: steps)
    }

    private static let reset: Set<String> = ["upstream_reset", "circuit_open"]
    /// More than the gateway may keep.
    private static let endless = [UInt8](repeating: 0x79, count: 32 << 20)

    private static func text(_ text: String) -> Steps {
        { _, _ in [.text(text)] }
    }

    /// An answer in which all but what `change` does is right.
    private static func changed(_ change: @escaping @Sendable (String) -> String) -> Steps {
        { _, answer in [.text(change(String(decoding: FakeUpstream.bytes(of: answer), as: UTF8.self)))] }
    }

    private static func withStatus(_ status: String) -> Steps {
        changed { $0.replacing(#/^HTTP/1.1 [0-9]+/#, with: "HTTP/1.1 \(status)") }
    }

    private static func withFields(_ fields: [String], without names: Set<String> = []) -> Steps {
        { _, answer in
            [.text(FakeUpstream.head(of: answer, without: names, adding: fields)), .send(answer.body)]
        }
    }

    private static func other(_ status: Int, _ type: String, _ body: String) -> Steps {
        { request, _ in [.text(Self.head(status, type, body.utf8.count, to: request) + "\r\n\r\n\(body)")] }
    }

    private static func head(_ status: Int, _ type: String, _ length: Int, to request: FakeRequest) -> String {
        "HTTP/1.1 \(status) X\r\nContent-Type: \(type)\r\nContent-Length: \(length)\r\nETag: \"7\"\r\n"
            + "X-Request-Id: \(request.fields["x-request-id"] ?? "")"
    }

    /// An answer to a request that kv-service did not get, in which everything is right.
    static func fitting(_ request: FakeRequest) throws -> HTTPAnswer {
        let bodies = [
            "/kv/get": "x", "/kv/set": #"{"status":"ok","message":"value set","revision":7}"#,
            "/kv/incr": #"{"status":"ok","value":"1","number":1,"revision":7}"#,
            "/kv/txn": #"{"status":"ok","revision":7,"results":[]}"#,
        ]
        let body = (bodies[request.path] ?? "") + "\n"
        let type = request.path == "/kv/get" ? "application/octet-stream" : "application/json"
        var answer = try HTTPAnswer(head: Self.head(200, type, body.utf8.count, to: request))
        answer.body = Array(body.utf8)
        return answer
    }

    static let all: [UpstreamGarbage] = [otherPrograms, endlessAnswers, brokenAnswers].flatMap { $0 }

    private static let otherPrograms: [UpstreamGarbage] = [
        nothingReached("closes at once", reset) { _, _ in [.close] },
        nothingReached("resets", reset) { _, _ in [.reset] },
        nothingReached("closes within the head", reset) { _, _ in [.text("HTTP/1.1 200 OK\r\nContent-Le"), .close] },
        nothingReached("stops within the head", ["upstream_timeout"], steps: text("HTTP/1.1 200 OK\r\nContent-Le")),
        nothingReached("no status line", steps: text("hello\r\n\r\n")),
        nothingReached("a banner of SSH", steps: text("SSH-2.0-x\r\n")),
        nothingReached("a record of TLS") { _, _ in [.send([21, 3, 1, 0, 2, 2, 40])] },
        nothingReached("a frame of HTTP/2") { _, _ in [.send([0, 0, 0, 4, 0, 0, 0, 0, 0])] },
        nothingReached("64 KiB of random bytes") { _, _ in
            var generator = SeededGenerator(seed: 64)
            return [.send(generator.bytes(65_536))]
        },
        nothingReached("HTTP/1.0 without a length") { _, answer in
            [.text("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"), .send(answer.body), .close]
        },
        nothingReached("a page with 200", steps: other(200, "text/html", "<html>Welcome</html>")),
        nothingReached("a page with 404", steps: other(404, "text/html", "<html>Not Found</html>")),
        nothingReached("a page with 503", steps: other(503, "text/html", "<html>Busy</html>")),
        nothingReached(
            "a problem of another server",
            steps: other(
                404, "application/problem+json", #"{"status":404,"code":"not_found","detail":"No such page."}"#)),
        nothingReached("a document of another server", steps: other(200, "application/json", #"{"ok":true}"#)),
        nothingReached("a redirect", steps: withStatus("302")),
        nothingReached("another success", steps: withStatus("201")),
        nothingReached("no content", steps: withStatus("204")),
        nothingReached("another protocol from now on", steps: withStatus("101")),
        nothingReached("status 99", steps: withStatus("99")),
        nothingReached("status 1000", steps: withStatus("1000")),
        nothingReached("status 600", steps: withStatus("600")),
        UpstreamGarbage(
            description: "no room for a connection", codes: ["too_many_connections"], applied: "no",
            steps: { _, _ in
                let problem = #"{"status":503,"code":"too_many_connections","detail":"Full.","request_id":"x"}"#
                return [
                    .text(
                        "HTTP/1.1 503 X\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
                            + "X-Request-Id: x\r\nContent-Length: \(problem.utf8.count)\r\n\r\n\(problem)"), .close,
                ]
            }),
    ]

    private static let endlessAnswers: [UpstreamGarbage] = [
        nothingReached(
            "2,000 interim answers", ["upstream_timeout"],
            steps: text(String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 2_000))),
        nothingReached("an endless status line") { _, _ in [.text("HTTP/1.1 200 "), .send(endless)] },
        nothingReached("an endless field") { _, _ in [.text("HTTP/1.1 200 OK\r\nX: "), .send(endless)] },
        nothingReached(
            "a head of 2,000 fields", steps: text("HTTP/1.1 200 OK\r\n" + String(repeating: "X: y\r\n", count: 2_000))),
        nothingReached("an endless body", ["upstream_invalid", "value_too_large"]) { _, answer in
            let fields = ["Content-Length: 10000000000"]
            return [.text(FakeUpstream.head(of: answer, without: ["content-length"], adding: fields)), .send(endless)]
        },
        nothingReached("endless chunks") { _, answer in
            let fields = ["Transfer-Encoding: chunked"]
            let chunk = Array("8000\r\n".utf8) + endless.prefix(0x8000) + Array("\r\n".utf8)
            return [.text(FakeUpstream.head(of: answer, without: ["content-length"], adding: fields))]
                + (0..<1_000).map { _ in .send(chunk) }
        },
        nothingReached("an endless chunk size") { _, answer in
            let fields = ["Transfer-Encoding: chunked"]
            return [
                .text(FakeUpstream.head(of: answer, without: ["content-length"], adding: fields)),
                .send([UInt8](repeating: 0x30, count: 32 << 20)),
            ]
        },
        nothingReached("endless trailers") { _, answer in
            let fields = ["Transfer-Encoding: chunked"]
            return [
                .text(FakeUpstream.head(of: answer, without: ["content-length"], adding: fields) + "0\r\n"),
                .text(String(repeating: "X: y\r\n", count: 1 << 20)),
            ]
        },
    ]

    /// kv-service has carried out the request, and its answer does not arrive as it was.
    private static let brokenAnswers: [UpstreamGarbage] = [
        spoiled("closes within the body", reset) { _, answer in
            [.send(FakeUpstream.bytes(of: answer).dropLast(3)), .close]
        },
        spoiled("stops within the body", ["upstream_timeout"]) { _, answer in
            [.send(FakeUpstream.bytes(of: answer).dropLast(1))]
        },
        spoiled("a document cut off") { _, answer in
            var answer = answer
            answer.body = answer["Content-Type"] == "application/json" ? answer.body.dropLast(12) : []
            let fields = ["Content-Length: \(answer.body.count)", "Content-Type: application/json"]
            return [
                .text(FakeUpstream.head(of: answer, without: ["content-length", "content-type"], adding: fields)),
                .send(answer.body),
            ]
        },
        spoiled("no revision") { _, answer in
            let body = String(decoding: answer.body, as: UTF8.self).replacing("revision", with: "division")
            return [.text(FakeUpstream.head(of: answer, without: ["etag"]) + body)]
        },
        spoiled("two revisions", steps: withFields(["ETag: \"1\"", "ETag: \"2\""])),
        spoiled("no type", steps: withFields([], without: ["content-type"])),
        spoiled("two types", steps: withFields(["Content-Type: text/plain"])),
        spoiled("two lengths", steps: withFields(["Content-Length: 1"])),
        spoiled("a length and chunks", steps: withFields(["Transfer-Encoding: chunked"])),
        spoiled("a bad chunk size") { _, answer in
            let fields = ["Transfer-Encoding: chunked"]
            return [
                .text(FakeUpstream.head(of: answer, without: ["content-length"], adding: fields) + "0x1\r\n"),
                .send(answer.body), .text("\r\n0\r\n\r\n"),
            ]
        },
        spoiled("line feeds alone", steps: changed { $0.replacing("\r\n", with: "\n") }),
        spoiled("another version", steps: changed { $0.replacing("HTTP/1.1", with: "HTTP/1.3") }),
        spoiled("the id of another request", steps: withFields(["X-Request-Id: other"], without: ["x-request-id"])),
        spoiled("the answer to another operation") { request, answer in
            let isGet = request.method == "GET"
            let body = isGet ? #"{"status":"ok","message":"value set","revision":7}"# : "x"
            return other(200, isGet ? "application/json" : "application/octet-stream", body)(request, answer)
        },
        UpstreamGarbage(
            description: "two answers", codes: [], applied: nil, isForwarded: true,
            steps: { _, answer in [.send(FakeUpstream.bytes(of: answer) + FakeUpstream.bytes(of: answer))] }),
        UpstreamGarbage(
            description: "a body longer than its length", codes: [], applied: nil, isForwarded: true,
            steps: { _, answer in [.send(FakeUpstream.bytes(of: answer) + Array("more".utf8))] }),
    ]
}
