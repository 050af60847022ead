import HTTP1
import HTTPServing
import Health
import Logging
import NIOHTTP1
import Testing

/// What the log says about requests, line by line as it reaches the file.
@Suite(.timeLimit(.minutes(1)))
struct AccessLogTests {
    @Test func `a request is one line with everything about it and no query`() async throws {
        let server = try await TestServer.start()
        _ = try await server.exchange(
            "GET /get?key=secret HTTP/1.1\r\nHost: a\r\nUser-Agent: tests/1\r\nX-Request-Id: id-1.A_b\r\n"
                + "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nConnection: close\r\n\r\n"
        )
        let lines = try await server.stopAndReadLog()
        #expect(lines.count == 1)
        let pattern =
            #/\{"level":"info","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","service":"test","message":"request","request_id":"id-1\.A_b","trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"[0-9a-f]{16}","handler":"get","method":"GET","path":"\/get","status":200,"duration_ms":\d+\.\d{3},"request_bytes":0,"response_bytes":14,"remote_addr":"127\.0\.0\.1:\d+","user_agent":"tests\/1","protocol":"HTTP\/1\.1"\}/#
        #expect(lines.first?.wholeMatch(of: pattern) != nil, "\(lines)")
        #expect(!lines.joined().contains("secret"))
    }

    @Test func `levels tell failures of the service from probes and everything else`() async throws {
        let server = try await TestServer.start(state: .starting)
        for target in ["/get", "/none", "/livez", "/readyz", "/metrics"] {
            _ = try await server.exchange("GET \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        }
        let lines = try await server.stopAndReadLog()
        let levels = lines.map { $0.firstMatch(of: /"level":"(\w+)"/)?.output.1 ?? "" }
        #expect(levels == ["error", "info", "debug", "info", "debug"])
        #expect(lines[0].hasSuffix("\"code\":\"starting\"}"))
        #expect(lines[1].contains("\"handler\":\"other\""))
    }

    @Test func `probes are left out above debug`() async throws {
        let server = try await TestServer.start(level: .info)
        for target in ["/livez", "/get"] {
            _ = try await server.exchange("GET \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        }
        let lines = try await server.stopAndReadLog()
        #expect(lines.count == 1 && lines[0].contains("\"path\":\"/get\""))
    }

    @Test func `a hostile client forges no line and no member`() async throws {
        let server = try await TestServer.start()
        let agent = #"x","level":"fatal","a":"\"# + "\u{C2}\u{9B}31m\u{E2}\u{80}\u{A8}"
        _ = try await server.exchange(
            "GET /a\"b\\c HTTP/1.1\r\nHost: a\r\nUser-Agent: \(agent)\r\nConnection: close\r\n\r\n"
        )
        let lines = try await server.stopAndReadLog()
        #expect(lines.count == 1)
        #expect(lines[0].contains(#""path":"/a\"b\\c""#))
        #expect(lines[0].contains(#""user_agent":"x\",\"level\":\"fatal\",\"a\":\"\\"#))
        #expect(lines[0].utf8.allSatisfy { $0 >= 0x20 })
        #expect(lines[0].occurrences(of: "\"level\":") == 1)
    }

    @Test func `long paths and user agents are cut, between characters`() async throws {
        let server = try await TestServer.start()
        let agent = String(repeating: "é", count: 200)
        _ = try await server.exchange(
            "GET /\(String(repeating: "p", count: 1_000)) HTTP/1.1\r\nHost: a\r\nUser-Agent: x\(agent)\r\n"
                + "Connection: close\r\n\r\n"
        )
        let lines = try await server.stopAndReadLog()
        #expect(lines[0].contains("\"path\":\"/" + String(repeating: "p", count: 255) + "\""))
        #expect(lines[0].contains("\"user_agent\":\"x" + String(repeating: "é", count: 127) + "\""))
    }

    @Test func `what an action has measured is in the line`() async throws {
        let server = try await TestServer.start { _ in
            [
                Route(
                    path: "/staged",
                    handler: "more",
                    kind: .data(isWrite: false), access: .open,
                    actions: [
                        (
                            .get,
                            { request, responder in
                                request.measures.add("queue_ms", .nanoseconds(250_499))
                                request.measures.add("fsync_ms", .nanoseconds(12_345_600))
                                request.measures.add("attempts", .count(2))
                                responder.respond(.json(.ok, []))
                            }
                        )
                    ]
                )
            ]
        }
        _ = try await server.exchange("GET /staged HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let lines = try await server.stopAndReadLog()
        #expect(lines[0].contains("\"queue_ms\":0.250,\"fsync_ms\":12.346,\"attempts\":2,\"request_bytes\""))
    }

    @Test func `a request that never became one is logged too`() async throws {
        let server = try await TestServer.start()
        _ = try await server.exchange("nonsense\r\n\r\n")
        let lines = try await server.stopAndReadLog()
        #expect(lines.count == 1)
        #expect(lines[0].contains("\"handler\":\"other\",\"method\":\"-\",\"path\":\"-\",\"status\":400"))
        #expect(lines[0].hasSuffix("\"code\":\"bad_request\"}"))
    }
}
