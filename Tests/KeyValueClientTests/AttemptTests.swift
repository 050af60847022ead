import Glibc
import KeyValueClient
import TestSupport
import Testing

@Suite("Attempts of an operation", .timeLimit(.minutes(1)))
struct AttemptTests {
    private static let done = FakeService.json(200, #"{"status":"ok","revision":5}"#)

    @Test func `a refused connection wrote nothing`() async throws {
        let port = try FreePort.find()
        var configuration = StoreClient.Configuration()
        configuration.maxAttempts = 2
        configuration.basePath = "/kv"
        try await StoreClient.with("http://127.0.0.1:\(port)", configuration: configuration) { client in
            let write = await failure { try await client.set("a", "b") }
            #expect(write?.code == KeyValueError.cannotConnect && write?.applied == .no && write?.status == nil)
            let read = await failure { try await client.get("a") }
            #expect(read?.code == KeyValueError.cannotConnect && read?.applied == nil)
        }
    }

    @Test func `a service that comes back within the timeout is found`() async throws {
        let port = Int(try FreePort.find())
        var configuration = StoreClient.Configuration()
        configuration.basePath = "/kv"
        try await StoreClient.with("http://127.0.0.1:\(port)", configuration: configuration) { client in
            async let result = client.set("a", "b")
            let server = FakeHTTPServer { _ in Self.done }
            _ = try await server.start(port: port)
            #expect(try await result.revision == 5)
            try await server.stop()
        }
    }

    @Test func `a write whose answer is lost is sent again under the same key`() async throws {
        let service = try await FakeService { number, _ in number < 3 ? [.close] : Self.done }
        #expect(try await service.with { try await $0.set("a", "b") }.revision == 5)
        let keys = service.requests.map { $0.fields["idempotency-key"] }
        #expect(keys.count == 3 && Set(keys).count == 1 && keys[0] != nil)
        let ids = service.requests.map { $0.fields["x-request-id"] }
        #expect(Set(ids).count == 3)
    }

    @Test func `a write without a key is not sent again, and its outcome is unknown`() async throws {
        let service = try await FakeService { _, _ in [.reset] }
        let error = await failure {
            try await service.with({ $0.makesIdempotencyKeys = false }) { try await $0.set("a", "b") }
        }
        #expect(error?.code == KeyValueError.connectionLost && error?.applied == .unknown)
        #expect(error?.requestID == service.requests.first?.fields["x-request-id"])
        #expect(service.requests.count == 1)
    }

    @Test func `a write without a key is sent again after an answer that it was not applied`() async throws {
        let service = try await FakeService { number, _ in
            number == 1 ? FakeService.problem(503, "overloaded", applied: "no") : Self.done
        }
        #expect(
            try await service.with({ $0.makesIdempotencyKeys = false }) { try await $0.set("a", "b") }.revision == 5)
        #expect(service.requests.count == 2)
        #expect(service.requests.allSatisfy { $0.fields["idempotency-key"] == nil })
    }

    @Test func `a later refusal does not make a lost attempt undone`() async throws {
        let service = try await FakeService { number, _ in
            number == 1 ? [.close] : FakeService.problem(503, "overloaded", applied: "no")
        }
        let error = await failure {
            try await service.with({ $0.maxAttempts = 3 }) { try await $0.set("a", "b") }
        }
        #expect(error?.code == "overloaded" && error?.applied == .unknown)
        #expect(service.requests.count == 3)
    }

    @Test func `a decision about the request settles a lost attempt`() async throws {
        let service = try await FakeService { number, _ in
            number == 1
                ? [.close] : FakeService.problem(412, "precondition_failed", applied: "no", more: #","revision":7"#)
        }
        let error = await failure { try await service.with { try await $0.set("a", "b", if: .absent) } }
        #expect(error?.code == "precondition_failed" && error?.applied == .no && error?.revision == 7)
    }

    @Test(arguments: [
        (507, "disk_full"), (503, "read_only"), (503, "store_failed"), (400, "bad_precondition"),
        (500, "internal_error"),
    ])
    func `what lasts is not attempted again`(_ status: Int, _ code: String) async throws {
        let service = try await FakeService { _, _ in FakeService.problem(status, code, applied: "no") }
        let error = await failure { try await service.with { try await $0.set("a", "b") } }
        #expect(error?.code == code && error?.status == status && error?.detail == "Why." && error?.requestID == "r1")
        #expect(service.requests.count == 1)
    }

    @Test func `a read is attempted again until the timeout, and no longer`() async throws {
        let service = try await FakeService { _, _ in FakeService.problem(503, "starting") }
        let begin = ContinuousClock.now
        let error = await failure {
            try await service.with({ $0.timeout = .milliseconds(700) }) { try await $0.get("a") }
        }
        #expect(error?.code == "starting")
        #expect(service.requests.count > 1)
        #expect(ContinuousClock.now - begin < .seconds(5))
    }

    @Test(arguments: [[FakeStep](), [.text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12")]])
    func `no whole answer within the timeout is an unknown outcome`(_ steps: [FakeStep]) async throws {
        let service = try await FakeService { _, _ in steps }
        let begin = ContinuousClock.now
        let error = await failure {
            try await service.with({ $0.timeout = .milliseconds(300) }) { try await $0.set("a", "b") }
        }
        #expect(error?.code == KeyValueError.timeout && error?.applied == .unknown)
        #expect(ContinuousClock.now - begin < .seconds(5))
    }

    @Test func `a server that is no service says so`() async throws {
        let service = try await FakeService { _, _ in FakeService.answer(502, Array("<html>".utf8)) }
        let error = await failure { try await service.with({ $0.maxAttempts = 1 }) { try await $0.set("a", "b") } }
        #expect(error?.code == KeyValueError.invalidAnswer && error?.status == 502 && error?.applied == .unknown)
    }

    @Test(arguments: ["5", "\(Int.max)"])
    func `Retry-After is waited for, or the operation ends`(_ seconds: String) async throws {
        let service = try await FakeService { _, _ in
            FakeService.problem(503, "overloaded", applied: "no", fields: [("Retry-After", seconds)])
        }
        let error = await failure {
            try await service.with({ $0.timeout = .seconds(2) }) { try await $0.set("a", "b") }
        }
        #expect(error?.code == "overloaded" && error?.applied == .no)
        #expect(service.requests.count == 1)
    }

    @Test(arguments: ["a b", "ä", String(repeating: "x", count: 129), "a\r\nX: y"])
    func `an idempotency key that the service refuses is not sent`(_ key: String) async throws {
        let service = try await FakeService { _, _ in Self.done }
        let error = await failure { try await service.with { try await $0.set("a", "b", idempotencyKey: key) } }
        #expect(error?.code == "bad_idempotency_key" && error?.applied == .no)
        #expect(service.requests.isEmpty)
    }

    @Test func `a cancelled operation ends at once`() async throws {
        let service = try await FakeService { _, _ in [] }
        try await service.with { client in
            let task = Task { try await client.set("a", "b") }
            try await Poll.eventually { service.requests.count == 1 }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }
}
