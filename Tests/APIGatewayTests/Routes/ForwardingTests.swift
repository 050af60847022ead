import Synchronization
import TestSupport
import Testing

@testable import APIGateway
@testable import RequestTracing

@Suite("The gateway forwards", .timeLimit(.minutes(1)))
struct ForwardingTests {
    @Test func `a set as raw bytes with the ids of the request`() async throws {
        let upstream = FakeHTTPServer { _ in FakeAnswer.stored(7) }
        try await withGateway(upstream: upstream) { gateway in
            let answer = await gateway.set(key: Array("a b".utf8), value: [0, 255, 10, 13])
            #expect(answer.status == 200)
            #expect(answer.text == #"{"status":"ok","message":"value set via api-gateway","revision":7}"# + "\n")
            #expect(answer.headers["ETag"] == "\"7\"")
            #expect(answer.attempts == 1)
            #expect(try #require(answer.stage("upstream_ms")) > 0)
            #expect(answer.stage("overhead_ms") != nil)
            let request = try #require(upstream.requests.first)
            #expect(request.method == "POST")
            #expect(request.target == "/kv/set?key=a%20b")
            #expect(request.body == [0, 255, 10, 13])
            #expect(request.fields["content-type"] == "application/octet-stream")
            #expect(request.fields["host"]?.hasPrefix("127.0.0.1:") == true)
            #expect(request.fields["x-request-id"] == "request-1")
            #expect(request.fields["traceparent"]?.wholeMatch(of: ForwarderHarness.childOfTrace) != nil)
            #expect(request.fields["traceparent"] != ForwarderHarness.trace.traceparent)
            #expect(request.fields["tracestate"] == "vendor=1")
            #expect(request.fields["x-request-timing"] == nil)
            let remaining = try #require(request.fields["x-request-timeout-ms"].flatMap { Int($0) })
            // kv-service gets 50 ms less than the 3 s.
            #expect((1...2950).contains(remaining))
        }
    }

    @Test func `nothing that a client says of itself or of other hops`() async throws {
        let upstream = FakeHTTPServer { _ in FakeAnswer.stored(7) }
        let names = [
            "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded", "X-Real-IP",
            "X-Client-IP", "True-Client-IP", "Via", "Authorization", "Proxy-Authorization", "Cookie", "TE", "Upgrade",
            "Keep-Alive", "Connection", "User-Agent", "X-Other",
        ]
        try await withGateway(upstream: upstream) { gateway in
            #expect(await gateway.set("k", "v", headers: names.map { ($0, "evil") }).status == 200)
            #expect(await gateway.get("k", headers: names.map { ($0, "evil") }).status == 502)
            #expect(upstream.requests.count == 2)
            for request in upstream.requests {
                #expect(!request.fields.values.contains { $0.contains("evil") }, "\(request.fields)")
                let known = [
                    "host", "content-type", "content-length", "accept", "x-request-id", "traceparent", "tracestate",
                    "idempotency-key", "x-request-timeout-ms",
                ]
                #expect(Set(request.fields.keys).subtracting(known) == [])
            }
        }
    }

    @Test func `a set as JSON the same way`() async throws {
        let upstream = FakeHTTPServer { _ in FakeAnswer.stored(1) }
        try await withGateway(upstream: upstream) { gateway in
            #expect(await gateway.set(json: #"{"key_b64":"AP8=","value":"é\u0000"}"#).status == 200)
            let request = try #require(upstream.requests.first)
            #expect(request.target == "/kv/set?key=%00%FF")
            #expect(request.body == Array("é\0".utf8))
        }
    }

    @Test func `a get, and answers as the client wants it`() async throws {
        let upstream = FakeHTTPServer { request in
            FakeAnswer.value(request.key == [UInt8(ascii: "b")] ? [0, 255] : Array("text".utf8), revision: 5)
        }
        try await withGateway(upstream: upstream) { gateway in
            let json = await gateway.get("t")
            #expect(json.text == #"{"status":"ok","value":"text","revision":5}"# + "\n")
            #expect(json.headers["ETag"] == "\"5\"")
            let base64 = await gateway.get("b")
            #expect(base64.text == #"{"status":"ok","value_b64":"AP8=","encoding":"base64","revision":5}"# + "\n")
            let raw = await gateway.get("b", headers: [("Accept", "application/octet-stream")])
            #expect(raw.body == [0, 255])
            #expect(raw.contentType == "application/octet-stream")
            #expect(upstream.requests.allSatisfy { $0.method == "GET" && $0.path == "/kv/get" })
            #expect(upstream.requests.allSatisfy { $0.fields["accept"] == "application/octet-stream" })
        }
    }

    @Test func `the condition of a write, in whatever form it came`() async throws {
        let upstream = FakeHTTPServer { $0.method == "DELETE" ? FakeAnswer.deleted : FakeAnswer.stored(7) }
        try await withGateway(upstream: upstream) { gateway in
            let ifMatch = [("If-Match", "\"5\"")]
            let ifNoneMatch = [("If-None-Match", "*")]
            #expect(await gateway.set("k", "v", headers: ifMatch).status == 200)
            #expect(await gateway.set("k", "v", headers: [("If-Match", "*")]).status == 200)
            #expect(await gateway.set("k", "v", headers: ifNoneMatch).status == 200)
            #expect(await gateway.set(json: #"{"key":"k","value":"v","if_revision":6}"#).status == 200)
            #expect(await gateway.set(json: #"{"key":"k","value":"v","if_absent":true}"#).status == 200)
            #expect(await gateway.delete("k", headers: ifMatch).status == 200)
            // The next request of the same exchange has none.
            #expect(await gateway.set("k", "v").status == 200)
            #expect(await gateway.delete("k").status == 200)
            #expect(
                upstream.requests.map { $0.fields["if-match"] } == ["\"5\"", "*", nil, "\"6\"", nil, "\"5\"", nil, nil])
            #expect(upstream.requests.map { $0.fields["if-none-match"] } == [nil, nil, "*", nil, "*", nil, nil, nil])
        }
    }

    @Test func `no condition that is not one`() async throws {
        let upstream = FakeHTTPServer { _ in FakeAnswer.stored(7) }
        try await withGateway(upstream: upstream) { gateway in
            for headers in [
                [("If-Match", "W/\"1\"")], [("If-None-Match", "\"1\"")], [("If-Match", "*"), ("If-None-Match", "*")],
            ] {
                for answer in [
                    await gateway.set("k", "v", headers: headers), await gateway.delete("k", headers: headers),
                    await gateway.set(json: #"{"key":"k","value":"v"}"#, headers: headers),
                ] {
                    #expect(answer.status == 400 && answer.code == "bad_precondition" && answer.applied == "no")
                }
            }
            let both = await gateway.set(
                json: #"{"key":"k","value":"v","if_absent":true}"#, headers: [("If-None-Match", "*")])
            #expect(both.code == "bad_precondition")
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test func `a write that may have arrived again, with the same condition and the same key`() async throws {
        // kv-service gets the request and closes the connection.
        let upstream = FakeHTTPServer { _ in [.close] }
        try await withGateway(timeoutMilliseconds: 60_000, upstream: upstream) { gateway in
            let answer = await gateway.set("k", "v", headers: [("If-Match", "\"5\"")])
            #expect(answer.code == "upstream_reset" && answer.applied == "unknown")
            #expect(answer.attempts == RetryPolicy.Limits().maxAttemptsOfUnknown)
            #expect(Set(upstream.requests.map { $0.fields["if-match"] }) == ["\"5\""])
            #expect(Set(upstream.requests.map { $0.fields["idempotency-key"] }).count == 1)
        }
    }

    @Test func `a get, and answers 304 if the client has the value`() async throws {
        let upstream = FakeHTTPServer { $0.key == [1] ? FakeAnswer.missing : FakeAnswer.value([1], revision: 5) }
        try await withGateway(upstream: upstream) { gateway in
            for field in ["\"5\"", "*", "\"4\", W/\"5\""] {
                let answer = await gateway.get("k", headers: [("If-None-Match", field)])
                #expect(answer.status == 304 && answer.body.isEmpty && answer.headers["ETag"] == "\"5\"", "\(field)")
            }
            for field in ["\"4\"", "5", ""] {
                #expect(await gateway.get("k", headers: [("If-None-Match", field)]).status == 200, "\(field)")
            }
            #expect(await gateway.get("k").status == 200)
            #expect(await gateway.get(key: [1], headers: [("If-None-Match", "*")]).status == 404)
        }
    }

    @Test func `a delete, and says whether there was something`() async throws {
        let upstream = FakeHTTPServer { request in
            request.key == Array("there".utf8)
                ? FakeAnswer.deleted
                : FakeAnswer.json(#"{"status":"ok","message":"key deleted","deleted":false}"#)
        }
        try await withGateway(upstream: upstream) { gateway in
            #expect(
                await gateway.delete("there").text
                    == #"{"status":"ok","message":"key deleted via api-gateway","deleted":true,"revision":9}"# + "\n"
            )
            #expect(
                await gateway.delete("absent").text
                    == #"{"status":"ok","message":"key not found, nothing deleted","deleted":false}"# + "\n"
            )
            #expect(upstream.requests.allSatisfy { $0.method == "DELETE" && $0.path == "/kv/delete" })
        }
    }

    @Test func `every key byte for byte`() async throws {
        let stored = Mutex<[[UInt8]: [UInt8]]>([:])
        let upstream = FakeHTTPServer { request in
            guard let key = request.key else { return [.close] }
            guard request.method == "GET" else {
                stored.withLock { $0[key] = request.body }
                return FakeAnswer.stored(1)
            }
            return stored.withLock { $0[key] }.map { FakeAnswer.value($0, revision: 1) } ?? FakeAnswer.missing
        }
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        var keys = ["a#b", "a", "a+b", "a b", "x&y", "x", "100%", "é", "e\u{301}", "\0", "\n", "%00", "=", "?", "/"]
            .map { Array($0.utf8) }
        keys += (0...255).map { [UInt8($0)] }
        for _ in 0..<100 {
            keys.append(
                (0..<Int.random(in: 1...1024, using: &random)).map { _ in .random(in: 0...255, using: &random) })
        }
        try await withGateway(upstream: upstream) { gateway in
            for (number, key) in keys.enumerated() {
                let answer = await gateway.set(key: key, value: Array("\(number)".utf8))
                #expect(answer.status == 200, "seed \(seed) key \(key)")
            }
            let distinct = Dictionary(keys.enumerated().map { ($1, $0) }) { $1 }
            for (key, number) in distinct {
                let answer = await gateway.get(key: key, headers: [("Accept", "application/octet-stream")])
                #expect(answer.text == "\(number)", "seed \(seed) key \(key)")
            }
            #expect(stored.withLock { $0.count } == distinct.count)
        }
    }

    @Test(arguments: [0, 1, 4096, 4097, 65536])
    func `a value of any size`(size: Int) async throws {
        let stored = Mutex<[UInt8]>([])
        let upstream = FakeHTTPServer { request in
            guard request.method == "GET" else {
                stored.withLock { $0 = request.body }
                return FakeAnswer.stored(1)
            }
            return FakeAnswer.value(stored.withLock { $0 }, revision: 1)
        }
        try await withGateway(upstream: upstream) { gateway in
            let value = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            #expect(await gateway.set(key: [1], value: value).status == 200)
            let answer = await gateway.get(key: [1], headers: [("Accept", "application/octet-stream")])
            #expect(answer.body == value)
        }
    }

    @Test func `nothing that is wrong already`() async throws {
        let upstream = FakeHTTPServer { _ in FakeAnswer.stored(1) }
        try await withGateway(upstream: upstream) { gateway in
            let large = await gateway.set(key: [1], value: [UInt8](repeating: 0, count: 65537))
            #expect(large.status == 413)
            #expect(large.code == "value_too_large")
            #expect(large.applied == "no")
            #expect(await gateway.set(key: [], value: [1]).code == "key_empty")
            #expect(await gateway.get(key: [UInt8](repeating: 1, count: 1025)).code == "key_too_large")
            #expect(await gateway.set(json: "{").code == "not_json")
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test func `each value whole and alone, whatever sizes and operations come one after the other`() async throws {
        let upstream = FakeHTTPServer { request in
            request.method == "GET" ? FakeAnswer.value([1], revision: 1) : FakeAnswer.stored(1)
        }
        var random = SeededGenerator()
        // Around the sizes up to which a value is copied after its head, and up to which its memory is kept.
        let sizes = [0, 1, 100, 4096, 4097, 16_384, 16_385, 65_536]
        var values: [[UInt8]] = []
        try await withGateway(upstream: upstream) { gateway in
            for _ in 0..<40 {
                let value = [UInt8](
                    repeating: UInt8.random(in: 97...122, using: &random), count: sizes.randomElement(using: &random)!)
                let answer: GatewayAnswer
                switch Int.random(in: 0..<3, using: &random) {
                case 0:
                    values.append([])
                    answer = await gateway.get("k")
                case 1:
                    values.append(value)
                    answer = await gateway.set(key: [1], value: value)
                default:
                    values.append(value)
                    answer = await gateway.set(
                        json: #"{"key":"k","value":"\#(String(decoding: value, as: UTF8.self))"}"#)
                }
                #expect(answer.status == 200)
            }
        }
        let bodies = upstream.requests.map(\.body)
        #expect(bodies.map(\.count) == values.map(\.count))
        let areSame = bodies == values
        #expect(areSame)
        #expect(upstream.connections == 1)
    }

    @Test func `many requests over one connection`() async throws {
        let upstream = FakeHTTPServer { _ in FakeAnswer.stored(1) }
        try await withGateway(upstream: upstream) { gateway in
            for _ in 0..<50 { #expect(await gateway.set("k", "v").status == 200) }
            #expect(upstream.connections == 1)
            #expect(upstream.requests.last?.number == 50)
        }
    }

    @Test func `the wish for timings, and adds its own to those of kv-service`() async throws {
        let upstream = FakeHTTPServer { _ in
            FakeAnswer.json(
                #"{"status":"ok","message":"value set","revision":1}"#,
                fields: "Server-Timing: queue;dur=0.1, fsync;dur=1.5\r\n"
            )
        }
        try await withGateway(upstream: upstream) { gateway in
            let answer = await gateway.set("k", "v", headers: [("X-Request-Timing", "1")])
            let timing = try #require(answer.headers["Server-Timing"])
            #expect(timing.hasPrefix("queue;dur=0.1, fsync;dur=1.5, upstream;dur="))
            #expect(timing.contains(", overhead;dur="))
            #expect(upstream.requests.first?.fields["x-request-timing"] == "1")
            #expect(await gateway.set("k", "v").headers["Server-Timing"] == nil)
        }
    }

    @Test func `slowly arriving and chunked answers`() async throws {
        let upstream = FakeHTTPServer { _ in
            [
                .text("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nETag: \"3"), .wait(milliseconds: 5),
                .text("\"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"), .wait(milliseconds: 5),
                .text("1\r\nc"), .wait(milliseconds: 5), .text("\r\n0\r\n\r\n"),
            ]
        }
        try await withGateway(upstream: upstream) { gateway in
            #expect(await gateway.get("k").text == #"{"status":"ok","value":"abc","revision":3}"# + "\n")
            #expect(await gateway.get("k").status == 200)
            #expect(upstream.connections == 1)
        }
    }
}
