import KeyValueClient
import TestSupport
import Testing

@Suite("What the client sends, and what it reads", .timeLimit(.minutes(1)))
struct RequestTests {
    private static let bytes: [UInt8] = [0, 0xFF, UInt8(ascii: "+"), UInt8(ascii: " "), UInt8(ascii: "%")]

    @Test func `a get reads the bytes, the revision and the expiry`() async throws {
        let service = try await FakeService { _, _ in
            FakeService.answer(
                200, Self.bytes, fields: [("ETag", "\"18446744073709551615\""), ("X-KV-Expires-At", "7")])
        }
        let value = try await service.with { try await $0.get(Self.bytes) }
        #expect(value?.bytes == Self.bytes)
        #expect(value?.revision == .max)
        #expect(value?.expiresAt == 7)
        #expect(value?.text == nil)
        let request = try #require(service.requests.first)
        #expect(request.method == "GET")
        #expect(request.target == "/kv/get?key=%00%FF%2B%20%25")
        #expect(request.fields["accept"] == "application/octet-stream")
        #expect(request.fields["idempotency-key"] == nil)
        let milliseconds = try #require(request.fields["x-request-timeout-ms"].flatMap(Int.init))
        #expect(9_000...10_000 ~= milliseconds)
    }

    @Test func `a missing key is nil, a missing route is an error`() async throws {
        let missing = try await FakeService { _, _ in FakeService.problem(404, "key_not_found") }
        #expect(try await missing.with { try await $0.get("a") } == nil)
        let other = try await FakeService { _, _ in FakeService.problem(404, "route_not_found") }
        let error = await failure { try await other.with { try await $0.get("a") } }
        #expect(error?.code == "route_not_found" && error?.status == 404 && error?.applied == nil)
    }

    @Test func `a set sends value, condition, expiry and a key of its own`() async throws {
        let service = try await FakeService(200, #"{"status":"ok","message":"value set","revision":5,"expires_at":9}"#)
        let result = try await service.with { client in
            try await client.set("a", Self.bytes, if: .revision(4), expiry: .after(.milliseconds(1_500)))
            try await client.set("a", Self.bytes, if: .absent, expiry: .at(milliseconds: 9), idempotencyKey: "mine")
            return try await client.set("a", "text", if: .present)
        }
        #expect(result.revision == 5 && result.expiresAt == 9)
        let requests = service.requests
        #expect(requests.map(\.method) == ["PUT", "PUT", "PUT"])
        #expect(
            requests.map(\.target) == ["/kv/set?key=a&ttl_ms=1500", "/kv/set?key=a&expires_at=9", "/kv/set?key=a"])
        #expect(requests.map { $0.fields["if-match"] } == ["\"4\"", nil, "*"])
        #expect(requests.map { $0.fields["if-none-match"] } == [nil, "*", nil])
        #expect(requests[0].body == Self.bytes && requests[2].body == Array("text".utf8))
        #expect(requests[0].fields["content-type"] == "application/octet-stream")
        #expect(requests[1].fields["idempotency-key"] == "mine")
        let keys = requests.compactMap { $0.fields["idempotency-key"] }
        #expect(Set(keys).count == 3)
    }

    @Test func `a delete says whether there was something to delete`() async throws {
        let there = try await FakeService(200, #"{"status":"ok","deleted":true,"revision":6}"#)
        #expect(try await there.with { try await $0.delete("a", if: .revision(5)) } == 6)
        #expect(there.requests.first?.method == "DELETE" && there.requests.first?.fields["if-match"] == "\"5\"")
        let gone = try await FakeService(200, #"{"status":"ok","deleted":false}"#)
        #expect(try await gone.with { try await $0.delete("a") } == nil)
    }

    @Test func `an increment sends a signed number and reads one`() async throws {
        let service = try await FakeService(
            200, #"{"status":"ok","value":"-9223372036854775808","number":-9223372036854775808,"revision":3}"#)
        let counter = try await service.with { try await $0.increment("n", by: -7, expiry: .after(.seconds(2))) }
        #expect(counter.value == .min && counter.revision == 3)
        let request = try #require(service.requests.first)
        #expect(request.target == "/kv/incr")
        #expect(String(decoding: request.body, as: UTF8.self) == #"{"key":"n","delta":-7,"ttl_ms":2000}"#)
    }

    @Test func `several keys are read in one request, in order`() async throws {
        let service = try await FakeService(
            200,
            #"{"status":"ok","revision":9,"values":[{"key":"a","found":true,"value":"1","revision":2},"#
                + #"{"key_b64":"AP8=","found":false},{"key":"c","found":true,"value_b64":"AP8=","revision":3,"expires_at":4}]}"#
        )
        let answer = try await service.with { try await $0.get(several: [[97], [0, 0xFF], [99]] as [[UInt8]]) }
        #expect(answer.revision == 9)
        #expect(answer.values.map { $0?.bytes } == [[49], nil, [0, 0xFF]])
        #expect(answer.values[2]?.expiresAt == 4)
        let body = String(decoding: try #require(service.requests.first).body, as: UTF8.self)
        #expect(body == #"{"keys":["a",{"key_b64":"AP8="},"c"]}"#)
    }

    @Test func `a transaction sends checks and operations, and reads the result of each`() async throws {
        let service = try await FakeService(
            200,
            #"{"status":"ok","revision":8,"results":[{"op":"set","revision":7},{"op":"delete","deleted":true,"#
                + #""revision":8},{"op":"delete","deleted":false},{"op":"get","found":false},"#
                + #"{"op":"get","found":true,"value":"x","revision":7}]}"#)
        let result = try await service.with { client in
            try await client.transaction(
                [
                    .set("a", "1", expiry: .at(milliseconds: 5)), .delete("b"), .delete("c"), .get("b"),
                    .get([0xFF] as [UInt8]),
                ],
                checks: [.revision("a", 5), .absent("b"), .present("c"), .value("d", [0xFF] as [UInt8])])
        }
        #expect(result.revision == 8)
        #expect(result.steps.prefix(4) == [.set(revision: 7), .delete(revision: 8), .delete(revision: nil), .get(nil)])
        guard case .get(let value?) = result.steps[4] else { throw TimeoutError(description: "no value") }
        #expect(value.text == "x")
        #expect(
            String(decoding: try #require(service.requests.first).body, as: UTF8.self)
                == #"{"checks":[{"key":"a","revision":5},{"key":"b","absent":true},{"key":"c","present":true},"#
                + #"{"key":"d","value_b64":"/w=="}],"operations":[{"op":"set","key":"a","value":"1","expires_at":5},"#
                + #"{"op":"delete","key":"b"},{"op":"delete","key":"c"},{"op":"get","key":"b"},"#
                + #"{"op":"get","key_b64":"/w=="}]}"#)
    }

    @Test func `failed checks are in the error`() async throws {
        let service = try await FakeService { _, _ in
            FakeService.problem(
                409, "checks_failed", applied: "no",
                more: #","failed":[{"check":0,"key":"a","revision":7},{"check":2,"key_b64":"/w=="}]"#)
        }
        let error = await failure { try await service.with { try await $0.transaction([.get("a")]) } }
        #expect(error?.code == "checks_failed" && error?.applied == .no)
        #expect(error?.failedChecks.map(\.index) == [0, 2])
        #expect(error?.failedChecks.map(\.key) == [[97], [0xFF]])
        #expect(error?.failedChecks.map(\.revision) == [7, nil])
    }

    @Test func `pages follow each other by their cursors`() async throws {
        let service = try await FakeService { number, request in
            FakeService.json(
                200,
                number < 3
                    ? #"{"status":"ok","keys":[{"key":"k\#(number)","value":"v","revision":\#(number)}],"revision":4,"cursor":"c\#(number)"}"#
                    : #"{"status":"ok","keys":[],"revision":5}"#)
        }
        let pages = try await service.with { client in
            var pages: [KeyPage] = []
            for try await page in client.keys(.prefix("k /"), reverse: true, values: true, pageSize: 1) {
                pages.append(page)
            }
            return pages
        }
        #expect(pages.flatMap(\.keys).map(\.text) == ["k1", "k2"])
        #expect(pages.map(\.revision) == [4, 4, 5])
        let query = "/kv/keys?prefix=k%20%2F&limit=1&reverse=true&values=true"
        #expect(service.requests.map(\.target) == [query, query + "&cursor=c1", query + "&cursor=c2"])
    }

    @Test func `a count asks for one key, and is nothing without its number`() async throws {
        let page = #"{"status":"ok","keys":[{"key":"a","revision":1}],"revision":9,"cursor":"c""#
        let service = try await FakeService { number, _ in
            FakeService.json(200, page + (number == 1 ? #","count":1234567}"# : "}"))
        }
        let count = try await service.with { try await $0.count(.prefix("a")) }
        #expect(count.count == 1_234_567 && count.revision == 9)
        #expect(service.requests.map(\.target) == ["/kv/keys?prefix=a&limit=1&count=true"])
        #expect(await failure { try await service.with { try await $0.count() } } != nil)
    }

    @Test func `the place of the operations is asked for once, or given`() async throws {
        let service = try await FakeService(200, #"{"status":"ok","revision":1}"#)
        try await service.with { client in
            for _ in 0..<3 { try await client.set("a", "b") }
        }
        #expect(service.indexRequests == 1)
        try await service.with({ $0.basePath = "/api" }) { _ = try await $0.set("a", "b") }
        #expect(service.indexRequests == 1)
        #expect(service.requests.last?.path == "/api/set")
    }

    @Test func `the status is that of readyz, also if it is 503`() async throws {
        let service = try await FakeService { _, request in
            FakeService.json(
                request.path == "/readyz" ? 503 : 500,
                #"{"status":"unavailable","service":"kv-service","state":"replaying","serving":"none","reason":"it starts"}"#
            )
        }
        let status = try await service.with { try await $0.status() }
        #expect(!status.isReady && status.state == "replaying" && status.serving == "none")
        #expect(status.service == "kv-service" && status.basePath == "/kv" && status.reason == "it starts")
    }

    @Test(arguments: ["", "127.0.0.1:8080", "ftp://a", "http://", "http:///kv", "http://a?b", "http://a b"])
    func `an address that is no URL is refused`(_ address: String) async throws {
        #expect(throws: KeyValueError.self) { try StoreClient(address) }
    }

    @Test(arguments: [
        "", "null", "[]", #"{"status":"ok"}"#, #"{"revision":"5"}"#, #"{"revision":-1}"#, #"{"revision":1.5}"#,
        #"{"revision":18446744073709551616}"#,
    ])
    func `an answer that is none of the service is an error`(_ body: String) async throws {
        let service = try await FakeService(200, body)
        let error = await failure { try await service.with { try await $0.set("a", "b") } }
        #expect(error?.code == KeyValueError.invalidAnswer && error?.status == 200)
    }
}
