import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    /// The gateway with a kv-service that does what a test wants.
    @Suite("Watching through the gateway", .timeLimit(.minutes(10)))
    struct WatchRelayTests {
        private let folder = TemporaryFolder()

        /// A gateway in front of a server that answers `/kv/watch` with these steps, and everything else as a ready kv-service.
        private func start(
            _ arguments: [String] = [], watch: @escaping @Sendable (FakeRequest) -> [FakeStep]
        ) throws -> (gateway: ServiceProcess, port: UInt16, upstream: FakeHTTPServer) {
            let upstream = FakeHTTPServer { request in
                if request.path == "/kv/watch" { return watch(request) }
                let body = #"{"service":"kv-service","status":"ready","serving":"all"}"#
                let id = request.fields["x-request-id"] ?? ""
                return [
                    .text(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: \(id)\r\n"
                            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
                ]
            }
            let upstreamPort = UInt16(try upstream.startAndWait())
            let gateway = try Services.startGateway(in: self.folder, upstreamPort: upstreamPort, arguments)
            let port = try gateway.waitForPort()
            try gateway.waitUntilReady(port: port)
            return (gateway, port, upstream)
        }

        private static func head(_ request: FakeRequest) -> FakeStep {
            .text(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
                    + "X-Request-Id: \(request.fields["x-request-id"] ?? "")\r\nConnection: close\r\n\r\n")
        }

        private static func chunk(_ text: String) -> FakeStep {
            .text("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n")
        }

        @Test func `passes each event on when it comes, and what the client asked for to kv-service`() throws {
            let (first, second) = (FakeGate(), FakeGate())
            let (gateway, port, upstream) = try self.start { request in
                #expect(request.target == "/kv/watch?prefix=a%2Fb&since=7&previous=true")
                #expect(request.fields["x-request-id"] == "mine" && request.fields["traceparent"] != nil)
                return [
                    Self.head(request), Self.chunk(": begin\n\n"), .waitFor(first), Self.chunk("id: 8\nevent: ch"),
                    .waitFor(second), Self.chunk("ange\ndata: {}\n\n"), .text("0\r\n\r\n"), .close,
                ]
            }
            let stream = try WatchStream(
                port: port, "/api/watch?since=3&previous=true&prefix=a/b",
                headers: ["Last-Event-ID: 7", "X-Request-Id: mine"])
            #expect(stream.status == 200 && stream.head.contains("X-Request-Id: mine"))
            #expect(try stream.next() == .comment(": begin"))
            first.open()
            second.open()
            #expect(try stream.next() == .event(name: "change", id: 8, data: "{}"))
            #expect(try stream.next() == nil && stream.isComplete)
            #expect(try gateway.stop() == .exited(0))
            upstream.stopLater()
        }

        @Test func `a kv-service that is lost within an event cuts the client, so that it takes no part for the whole`()
            throws
        {
            for end in [FakeStep.close, .reset, .text("what is this\r\n")] {
                let (gateway, port, upstream) = try self.start { request in
                    [
                        Self.head(request), Self.chunk("id: 1\nevent: change\ndata: {}\n\n"), Self.chunk("id: 2\nev"),
                        .wait(milliseconds: 50), end,
                    ]
                }
                let stream = try WatchStream(port: port, "/api/watch")
                #expect(try stream.nextEvent()?.id == 1)
                #expect(try stream.next() == nil && !stream.isComplete)
                #expect(try gateway.stop() == .exited(0))
                upstream.stopLater()
            }
        }

        @Test func `what is no watch of kv-service is a problem, and no failure of a circuit`() throws {
            let other = "X-Request-Id: other\r\n"
            let json = "Content-Type: application/json\r\nContent-Length: 2\r\n"
            let replies: [(steps: [FakeStep], query: String, status: Int, code: String)] = [
                ([.close], "", 502, "upstream_reset"),
                ([.text("nonsense\r\n\r\n")], "", 502, "upstream_invalid"),
                ([.text("HTTP/1.1 200 OK\r\n\(json)\r\n{}")], "", 502, "upstream_invalid"),
                ([.text("HTTP/1.1 200 OK\r\n\(json)\r\n{}")], "mode=poll", 502, "upstream_invalid"),
                (
                    [
                        .text(
                            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\(other)\r\n"
                        )
                    ],
                    "", 502, "upstream_invalid"
                ),
                ([.text("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")], "", 502, "upstream_invalid"),
                ([], "", 504, "upstream_timeout"),
                ([], "mode=poll&wait_ms=100", 504, "upstream_timeout"),
            ]
            for (steps, query, status, code) in replies {
                let (gateway, port, upstream) = try self.start(["--upstream-timeout", "200ms"]) { _ in steps }
                for _ in 0..<8 {
                    let answer = try HTTPConnection(port: port).request("GET", "/api/watch?\(query)")
                    #expect(
                        try answer.status == status && answer.json.string("code") == code, "\(steps): \(answer.text)")
                }
                let metrics = try HTTPConnection(port: port).request("GET", "/metrics").text
                #expect(metrics.contains(#"gateway_circuit_open{circuit="reads",upstream="kv-service"} 0"#))
                #expect(metrics.contains("\ngateway_watchers 0\n"))
                #expect(try gateway.stop() == .exited(0))
                upstream.stopLater()
            }
        }

        @Test func `a client that does not read holds kv-service back, not the gateway's memory`() throws {
            let event = Array("id: 1\nevent: change\ndata: \(String(repeating: "a", count: 100_000))\n\n".utf8)
            let framed = Array("\(String(event.count, radix: 16))\r\n".utf8) + event + Array("\r\n".utf8)
            let count = 600
            let (gateway, port, upstream) = try self.start { request in
                [Self.head(request)] + Array(repeating: .send(framed), count: count) + [.text("0\r\n\r\n")]
            }
            func resident() throws -> Int {
                let fields = try FileText.text("/proc/\(gateway.child.pid)/statm").split(separator: " ")
                return (Int(fields[1]) ?? 0) * 4_096
            }
            let before = try resident()
            let stream = try WatchStream(port: port, "/api/watch", receiveBufferBytes: 4_096)
            #expect(try stream.nextEvent()?.id == 1)
            // It takes what fits into buffers, and then no more.
            var last = -1
            _ = try Poll.until("nothing more is taken") {
                usleep(200_000)
                let now = try resident()
                defer { last = now }
                return now == last ? true : nil
            }
            let grown = try resident() - before
            #expect(grown < 12 << 20, "\(grown) bytes of \(count * framed.count)")
            for _ in 1..<count { #expect(try stream.nextEvent()?.data.utf8.count == 100_000) }
            #expect(try stream.next() == nil && stream.isComplete)
            #expect(try gateway.stop() == .exited(0))
            upstream.stopLater()
        }
    }
}
