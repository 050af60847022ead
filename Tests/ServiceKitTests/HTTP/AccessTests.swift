import AccessControl
import HTTP1
import HTTPServing
import Health
import NIOCore
import NIOHTTP1
import Synchronization
import SystemSupport
import Telemetry
import TestSupport
import Testing

/// What a server with access keys answers, before any action is called.
@Suite("Requests with and without access keys", .timeLimit(.minutes(1)))
struct AccessTests {
    private struct Client {
        let key = AccessKey.random()
        let entry: AccessEntry

        init(_ name: String, _ roles: AccessRoles, expiresAt: UInt64? = nil) {
            self.entry = AccessEntry(
                name: name, digest: self.key.digest, roles: roles, prefixes: [], expiresAt: expiresAt)
        }

        var field: String { "Authorization: Bearer \(self.key.text)\r\n" }
    }

    private let reader = Client("reader", .read)
    private let writer = Client("writer", .write)
    private let operatorKey = Client("operator", .admin)
    private let former = Client("former", .read, expiresAt: 1_000_000_000)
    private let keys: AccessKeys

    init() {
        self.keys = AccessKeys(
            AccessKeyTable([self.reader, self.writer, self.operatorKey, self.former].map(\.entry)))
    }

    private func start(state: ServiceGate.State = .ready) async throws -> TestServer {
        try await TestServer.start(state: state, access: self.keys) { _ in
            let answer: Route.Action = { request, responder in
                responder.respond(.json(.ok, Array(request.body.readableBytesView)))
            }
            return [
                Route(
                    path: "/more", handler: "more", kind: .data(isWrite: true), access: .role(.read, acting: .write),
                    bodyLimitBytes: 100_000, actions: [(.get, answer), (.put, answer)])
            ]
        }
    }

    private static func request(_ method: String, _ path: String, _ fields: String, body: String = "") -> String {
        let length = body.isEmpty ? "" : "Content-Length: \(body.utf8.count)\r\n"
        return "\(method) \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\(length)\r\n\(body)"
    }

    /// The answers to requests on one connection.
    private func answers(_ server: TestServer, _ requests: [String]) async throws -> String {
        try await server.exchange(requests.joined() + Self.request("GET", "/livez", "Connection: close\r\n"))
    }

    @Test func `open routes answer everybody, all others those with the role`() async throws {
        let server = try await self.start()
        let metrics = Self.request("GET", "/metrics", "")
        let open = try await self.answers(
            server, [Self.request("GET", "/readyz", ""), Self.request("GET", "/livez", "Authorization: Bearer x\r\n")])
        #expect(open.statuses == [200, 200, 200])
        let refused = try await self.answers(server, [metrics, Self.request("GET", "/more", "")])
        #expect(refused.statuses == [401, 401, 200])
        #expect(refused.occurrences(of: "WWW-Authenticate: Bearer realm=\"test\"\r\n") == 2)
        #expect(refused.occurrences(of: "\"code\":\"unauthorized\"") == 2)
        for (client, get, put, scrape) in [
            (self.reader, 200, 403, 403), (self.writer, 403, 200, 403), (self.operatorKey, 403, 403, 200),
            (self.former, 401, 401, 401),
        ] {
            let answers = try await self.answers(
                server,
                [
                    Self.request("GET", "/more", client.field), Self.request("HEAD", "/more", client.field),
                    Self.request("PUT", "/more", client.field, body: "x"),
                    Self.request("GET", "/metrics", client.field),
                ])
            #expect(answers.statuses == [get, get, put, scrape, 200], "\(client.entry.name)")
            if put == 403 { #expect(answers.contains("\"applied\":\"no\"")) }
        }
        await server.stop()
    }

    @Test func `nobody without an access key learns what there is`() async throws {
        let server = try await self.start(state: .starting)
        let requests = ["GET /none", "OPTIONS *", "OPTIONS /more", "DELETE /more", "GET /more", "PATCH /none"]
        func all(_ fields: String) async throws -> [Int] {
            try await self.answers(
                server, requests.map { "\($0) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n" }
            ).statuses
        }
        #expect(try await all("") == [401, 401, 401, 401, 401, 401, 200])
        #expect(try await all(self.former.field) == [401, 401, 401, 401, 401, 401, 200])
        #expect(try await all(self.reader.field) == [404, 204, 204, 403, 503, 404, 200])
        await server.stop()
    }

    @Test func `what is no bearer token of the table is not known`() async throws {
        let server = try await self.start()
        let key = self.reader.key.text
        let wrong = [
            "Bearer", "Bearer ", key, "Basic \(key)", "Bearer\t\(key)", "Bearer \(key)x", "Bearer \(key.dropLast())",
            "Bearer \(AccessKey.random().text)", "Bearer \(key), Bearer \(key)", "Bearer \"\(key)\"", "Bearer txk_",
            "Bearer \(String(repeating: "a", count: 8_000))", "Bearer \(key.uppercased())",
        ]
        let answers = try await self.answers(
            server, wrong.map { Self.request("GET", "/more", "Authorization: \($0)\r\n") })
        #expect(answers.statuses == Array(repeating: 401, count: wrong.count) + [200])
        let twice = try await self.answers(
            server, [Self.request("GET", "/more", self.reader.field + self.reader.field)])
        #expect(twice.statuses == [401, 200])
        let right = ["bearer \(key)", "BEARER   \(key)", "Bearer \(key)  "]
        let accepted = try await self.answers(
            server, right.map { Self.request("GET", "/more", "authorization: \($0)\r\n") })
        #expect(accepted.statuses == [200, 200, 200, 200])
        #expect(server.metric("http_access_denied_total{reason=\"unknown\"}") == Double(wrong.count + 1))
        await server.stop()
    }

    @Test func `each request of a connection has its own access key`() async throws {
        let server = try await self.start()
        let answers = try await self.answers(
            server,
            [
                Self.request("GET", "/more", self.reader.field), Self.request("GET", "/more", self.writer.field),
                Self.request("GET", "/more", ""), Self.request("GET", "/more", self.reader.field),
                Self.request("GET", "/livez", ""), Self.request("GET", "/none", self.reader.field),
            ])
        #expect(answers.statuses == [200, 403, 401, 200, 200, 404, 200])
        #expect(server.metric("http_access_denied_total{reason=\"role\"}") == 1)
        #expect(server.metric("http_access_denied_total{reason=\"missing\"}") == 1)
        #expect(server.metric("http_client_requests_total{client=\"reader\"}") == 3)
        #expect(server.metric("http_client_requests_total{client=\"writer\"}") == 1)
        let lines = try await server.stopAndReadLog()
        let names = lines.map { $0.firstMatch(of: /"client_name":"([^"]*)"/).map { String($0.1) } ?? "" }
        #expect(names == ["reader", "writer", "", "reader", "", "reader", ""])
        #expect(!lines.joined().contains("txk_"))
    }

    @Test func `a kept connection is refused as soon as the table has no such key`() async throws {
        let server = try await self.start()
        let client = try await server.connect()
        client.send(Self.request("GET", "/more", self.reader.field))
        #expect(try await client.receiveAnswers(1).statuses == [200])
        self.keys.replace(AccessKeyTable([self.writer.entry]))
        client.send(Self.request("GET", "/more", self.reader.field))
        #expect(try await client.receiveAnswers(2).statuses == [200, 401])
        self.keys.replace(AccessKeyTable([self.reader.entry]))
        client.send(Self.request("GET", "/more", self.reader.field))
        #expect(try await client.receiveAnswers(3).statuses == [200, 401, 200])
        await server.stop()
    }

    @Test func `a kept connection is refused when its access key ends`() async throws {
        let server = try await self.start()
        let client = try await server.connect()
        let second = WallClock.nanoseconds() / 1_000_000_000 + 2
        let temporary = Client("temporary", .read, expiresAt: second)
        self.keys.replace(AccessKeyTable([temporary.entry]))
        var statuses: [Int] = []
        while statuses.last != 401, statuses.count < 100_000 {
            let before = WallClock.nanoseconds()
            client.send(Self.request("GET", "/more", temporary.field))
            let count = statuses.count + 1
            statuses = try await client.receiveAnswers(count).statuses
            let after = WallClock.nanoseconds()
            let slack: UInt64 = 1_000_000
            if statuses.last == 200 { #expect(before < second * 1_000_000_000 + slack) }
            if statuses.last == 401 { #expect(after + slack >= second * 1_000_000_000) }
            // What has come is searched as a whole each time.
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(statuses.first == 200 && statuses.last == 401)
        #expect(server.metric("http_access_denied_total{reason=\"expired\"}") == 1)
        await server.stop()
    }

    private final class Waiting: HeldRequest {
        let responder: Responder

        init(_ responder: Responder) { self.responder = responder }

        func hasRoom() {}
        func clientGone() { self.responder.respond(.json(.ok, [])) }
        func serverStops() { self.responder.respond(.json(.ok, [])) }
    }

    @Test(arguments: ["removed", "expired", "without the role", "with other prefixes", "read again"])
    func `a request that waits is cut when its access key is accepted no longer`(_ change: String) async throws {
        let held = Atomic(0)
        var limits = HTTPServer.Limits()
        limits.sweepInterval = .milliseconds(20)
        let server = try await TestServer.start(limits: limits, access: self.keys) { _ in
            let hold: Route.Action = { _, responder in
                responder.hold(by: Waiting(responder))
                held.add(1, ordering: .relaxed)
            }
            return [
                Route(
                    path: "/more", handler: "more", kind: .data(isWrite: false), access: .role(.read),
                    actions: [(.get, hold)])
            ]
        }
        let client = try await server.connect()
        client.send(Self.request("GET", "/more", self.reader.field))
        try await Poll.eventually("the request waits") { held.load(ordering: .relaxed) == 1 }
        func entry(_ roles: AccessRoles, prefixes: [[UInt8]] = [], expiresAt: UInt64? = nil) -> AccessEntry {
            AccessEntry(
                name: "reader", digest: self.reader.key.digest, roles: roles, prefixes: prefixes, expiresAt: expiresAt)
        }
        let entries: [String: [AccessEntry]] = [
            "expired": [entry(.read, expiresAt: WallClock.nanoseconds() / 1_000_000_000 + 1)],
            "without the role": [entry([.write, .admin])], "with other prefixes": [entry(.read, prefixes: [[1]])],
            "read again": [entry([.read, .write])],
        ]
        self.keys.replace(AccessKeyTable(entries[change] ?? []))
        let cut = "http_responses_cut_total{reason=\"access_ended\"}"
        if change == "read again" {
            // Many sweeps later it still waits.
            await #expect(throws: TimeoutError.self) {
                try await client.receive(within: .milliseconds(400)) { _, ended in ended }
            }
            #expect(server.metric(cut) == 0)
        } else {
            #expect(try await client.receiveToEnd().isEmpty)
            #expect(server.metric(cut) == 1)
        }
        await server.stop()
    }

    @Test func `the head alone decides`() async throws {
        let server = try await self.start()
        let expecting = Self.request("PUT", "/more", "Expect: 100-continue\r\nContent-Length: 50000\r\n")
        let refused = try await server.exchange(expecting)
        #expect(refused.statuses == [401] && refused.contains("\"applied\":\"no\""))
        // Nothing of a body that is not worth reading is waited for.
        let large = try await server.exchange(
            Self.request("PUT", "/more", self.reader.field + "Content-Length: 90000\r\n"))
        #expect(large.statuses == [403] && large.contains("Connection: close\r\n"))
        let chunked = try await self.answers(
            server, [Self.request("PUT", "/more", "Transfer-Encoding: chunked\r\n") + "1\r\nx\r\n0\r\n\r\n"])
        #expect(chunked.statuses == [401, 200])
        await server.stop()
    }

    @Test func `a head that cannot be read says nothing of the client before`() async throws {
        let server = try await self.start()
        _ = try await server.exchange(Self.request("GET", "/more", self.reader.field) + "broken\r\n\r\n")
        let lines = try await server.stopAndReadLog()
        #expect(lines.count == 2)
        #expect(lines.map { $0.contains("\"client_name\"") } == [true, false])
    }

    @Test func `a hundred names have series of their own`() async throws {
        let server = try await self.start()
        server.metrics.beginSeries(ofClients: (0..<99).map { "n\($0)" })
        _ = try await self.answers(
            server, [self.reader, self.writer, self.operatorKey].map { Self.request("GET", "/none", $0.field) })
        #expect(server.metric("http_client_requests_total{client=\"n98\"}") == 0)
        #expect(server.metric("http_client_requests_total{client=\"reader\"}") == 1)
        #expect(server.metric("http_client_requests_total{client=\"writer\"}") == nil)
        #expect(server.metric("http_client_requests_total{client=\"other\"}") == 2)
        await server.stop()
    }
}
