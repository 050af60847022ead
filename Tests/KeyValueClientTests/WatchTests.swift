import KeyValueClient
import TestSupport
import Testing

@Suite("Watching", .timeLimit(.minutes(1)))
struct WatchTests {
    private static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

    private static func event(_ revision: Int, key: String = "a") -> String {
        let data =
            #"{"revision":\#(revision),"changes":[{"type":"set","key":"\#(key)","value":"v\#(revision)","revision":\#(revision)}]}"#
        return "id: \(revision)\nevent: change\ndata: \(data)\n\n"
    }

    private static func stream(_ parts: [String], then steps: [FakeStep] = [.close]) -> [FakeStep] {
        [.text(Self.head + "retry: 1\n" + parts.joined())] + steps
    }

    private static func next(_ count: Int, of changes: Changes) async throws -> [ChangeEvent] {
        var events: [ChangeEvent] = []
        for try await event in changes {
            events.append(event)
            if events.count == count { break }
        }
        return events
    }

    @Test func `a broken connection is resumed behind the last event, again and again`() async throws {
        let service = try await FakeService { number, request in
            let last = request.fields["last-event-id"].flatMap(Int.init) ?? 0
            // Cut in the middle of the third event.
            let cut = String(Self.event(last + 3).prefix(number * 7))
            return Self.stream([Self.event(last + 1), Self.event(last + 2), cut])
        }
        let events = try await service.with { try await Self.next(10, of: $0.watch(prefix: "user/", since: 4)) }
        #expect(events.map(\.revision) == Array(5...14))
        #expect(events.map { $0.changes[0].text } == Array(repeating: "a", count: 10))
        #expect(service.requests.map { $0.fields["last-event-id"] }.prefix(3) == ["4", "6", "8"])
        #expect(service.requests[0].target == "/kv/watch?prefix=user%2F")
    }

    @Test func `comments move the place at which a watch is resumed`() async throws {
        let service = try await FakeService { number, _ in
            switch number {
            case 1: Self.stream([": watching from revision 40\n"])
            case 2: Self.stream([": watching from revision 40\n", ": revision 52\n"])
            default: Self.stream([Self.event(53)])
            }
        }
        let events = try await service.with { try await Self.next(1, of: $0.watch(key: "a", previous: true)) }
        #expect(events.map(\.revision) == [53])
        #expect(service.requests.map { $0.fields["last-event-id"] } == [nil, "40", "52"])
        #expect(service.requests[0].target == "/kv/watch?key=a&previous=true")
    }

    @Test func `an end and a service that is away for a while are survived`() async throws {
        let service = try await FakeService { number, _ in
            switch number {
            case 1:
                Self.stream([Self.event(1), "event: end\ndata: {\"code\":\"draining\",\"revision\":9}\n\n"], then: [])
            case 2: FakeService.problem(503, "stopping")
            case 3: [.reset]
            default: Self.stream([Self.event(2)])
            }
        }
        let events = try await service.with { try await Self.next(2, of: $0.watch()) }
        #expect(events.map(\.revision) == [1, 2])
        // The revision of the end is that of the store, not of what was sent.
        #expect(service.requests.last?.fields["last-event-id"] == "1")
    }

    @Test func `a compacted revision ends the watch with the oldest one`() async throws {
        let service = try await FakeService { number, _ in
            number == 1
                ? Self.stream([Self.event(1)])
                : FakeService.problem(410, "revision_compacted", more: #","oldest_revision":77"#)
        }
        let error = await failure { try await service.with { try await Self.next(2, of: $0.watch(since: 0)) } }
        #expect(error?.code == "revision_compacted" && error?.status == 410 && error?.oldestRevision == 77)
        #expect(error?.description == "Why. (HTTP 410, revision_compacted; oldest revision 77; request r1)")
        #expect(service.requests.count == 2)
    }

    @Test func `keys that another kv-service has now end the watch, behind its last event`() async throws {
        let moved = #"event: end\#ndata: {"code":"moved","detail":"Read the keys again."}\#n\#n"#
        let service = try await FakeService { _, _ in Self.stream([Self.event(1), moved], then: []) }
        let (revisions, error) = try await service.with { client in
            var revisions: [UInt64] = []
            let error = await failure {
                for try await event in client.watch() { revisions.append(event.revision) }
            }
            return (revisions, error)
        }
        #expect(revisions == [1])
        #expect(error?.code == "moved" && error?.detail == "Read the keys again.")
        #expect(service.requests.count == 1)
    }

    @Test func `a watch that cannot begin ends with the reason`() async throws {
        var configuration = StoreClient.Configuration()
        configuration.maxAttempts = 2
        let port = try FreePort.find()
        try await StoreClient.with("http://127.0.0.1:\(port)", configuration: configuration) { client in
            let error = await failure { try await Self.next(1, of: client.watch()) }
            #expect(error?.code == KeyValueError.cannotConnect)
        }
        let other = try await FakeService(200, "{}")
        let error = await failure { try await other.with { try await Self.next(1, of: $0.watch()) } }
        #expect(error?.code == KeyValueError.invalidAnswer)
    }

    @Test func `a transaction is one event, with deletes and previous values`() async throws {
        let data =
            #"{"revision":9,"changes":[{"type":"set","key_b64":"/w==","value":"1","revision":8,"expires_at":5,"#
            + #""previous":{"value":"0","revision":3}},{"type":"delete","key":"b","revision":9,"expired":true}]}"#
        let service = try await FakeService { _, _ in
            Self.stream(["id: 9\nevent: change\ndata: \(data)\n\n"])
        }
        let event = try #require(try await service.with { try await Self.next(1, of: $0.watch()) }.first)
        #expect(event.revision == 9 && event.document == Array(data.utf8))
        #expect(event.changes.map(\.key) == [[0xFF], Array("b".utf8)])
        guard case .set(let value) = event.changes[0].kind else { throw TimeoutError(description: "no set") }
        #expect(value.text == "1" && value.expiresAt == 5 && value.revision == 8)
        #expect(event.changes[0].previous?.text == "0" && event.changes[0].previous?.revision == 3)
        #expect(event.changes[1].kind == .delete(expired: true) && event.changes[1].previous == nil)
    }

    @Test func `a cancelled watch ends at once`() async throws {
        let service = try await FakeService { _, _ in Self.stream([": watching from revision 1\n"], then: []) }
        try await service.with { client in
            let task = Task { try await Self.next(1, of: client.watch()) }
            try await Poll.eventually { service.requests.count == 1 }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }
}
