import Synchronization

/// A fake of a kv-service for one test: answers what the test wants, and knows what it was asked.
package final class FakeService: Sendable {
    private let server: FakeHTTPServer
    package let port: Int

    package static let index =
        #"{"service":"kv-service","version":"1","endpoints":[{"path":"/kv/set","methods":["PUT"]}]}"#

    /// - Parameter reply: to each request but `GET /`, with its number from 1.
    package init(reply: @escaping @Sendable (Int, FakeRequest) -> [FakeStep]) async throws {
        let counter = RequestCounter()
        self.server = FakeHTTPServer { request in
            request.target == "/" ? Self.json(200, Self.index) : reply(counter.next(), request)
        }
        self.port = try await self.server.start()
    }

    /// That answers everything in the same way.
    package convenience init(_ status: Int, _ body: String, fields: [(String, String)] = []) async throws {
        try await self.init { _, _ in Self.json(status, body, fields: fields) }
    }

    deinit { self.server.stopLater() }

    /// All requests but `GET /`.
    package var requests: [FakeRequest] { self.server.requests.filter { $0.target != "/" } }
    /// `GET /`.
    package var indexRequests: Int { self.server.requests.count { $0.target == "/" } }

    package static func json(_ status: Int, _ body: String, fields: [(String, String)] = []) -> [FakeStep] {
        self.answer(status, Array("\(body)\n".utf8), fields: [("Content-Type", "application/json")] + fields)
    }

    package static func answer(_ status: Int, _ body: [UInt8], fields: [(String, String)] = []) -> [FakeStep] {
        let head = "HTTP/1.1 \(status) X\r\nContent-Length: \(body.count)\r\n"
        return [.send(Array((head + fields.map { "\($0.0): \($0.1)\r\n" }.joined() + "\r\n").utf8) + body)]
    }

    package static func problem(
        _ status: Int, _ code: String, applied: String? = nil, more: String = "", fields: [(String, String)] = []
    ) -> [FakeStep] {
        let applied = applied.map { #","applied":"\#($0)""# } ?? ""
        return self.json(
            status,
            #"{"type":"urn:kv:error:\#(code)","status":\#(status),"detail":"Why.","code":"\#(code)","#
                + #""request_id":"r1"\#(applied)\#(more)}"#,
            fields: fields)
    }
}

private final class RequestCounter: Sendable {
    private let value = Atomic<Int>(0)

    func next() -> Int { self.value.add(1, ordering: .relaxed).newValue }
}
