import TestSupport
import Testing

@testable import APIGateway
@testable import KeyValueHTTP

@Suite("The gateway forwards a request for keys", .timeLimit(.minutes(1)))
struct ForwardedKeysTests {
    private static let page =
        #"{"status":"ok","keys":[{"key":"a","revision":1}],"revision":3,"cursor":"AUc_-A"}"# + "\n"

    @Test func `with the query as it is, and gives its page back as it is`() async throws {
        let upstream = FakeHTTPServer { _ in FakeAnswer.json(Self.page) }
        try await withGateway(upstream: upstream) { gateway in
            let queries = [
                nil, "", "prefix=a%2fb+c&limit=5", "%70refix=x&reverse=true&values=true", "start=%00&end=~&count=true",
            ]
            for query in queries {
                let answer = await gateway.keys(query)
                #expect(answer.status == 200 && answer.text == Self.page)
                #expect(answer.contentType == "application/json" && answer.attempts == 1)
            }
            #expect(upstream.requests.map(\.target) == queries.map { "/kv/keys?" + ($0 ?? "") })
            #expect(upstream.requests.allSatisfy { $0.method == "GET" && $0.body.isEmpty })
            // The next request has its own key again.
            _ = await gateway.get("k")
            #expect(upstream.requests.last?.target == "/kv/get?key=k")
        }
    }

    @Test func `refuses what kv-service would refuse, and passes on what only kv-service can refuse`() async throws {
        let upstream = FakeHTTPServer { _ in
            FakeAnswer.problem(
                "400 Bad Request", #"{"status":400,"code":"bad_cursor","detail":"no","request_id":"request-1"}"#)
        }
        try await withGateway(upstream: upstream) { gateway in
            for (query, code) in [("limit=0", "bad_query"), ("cursor=!", "bad_cursor"), ("a=b", "unknown_parameter")] {
                let answer = await gateway.keys(query)
                #expect(answer.status == 400 && answer.code == code && answer.applied == nil)
            }
            #expect(upstream.requests.isEmpty)
            let answer = await gateway.keys("cursor=AQAAAAAAAAAAYQ")
            #expect(answer.status == 400 && answer.code == "bad_cursor")
            #expect(upstream.requests.count == 1)
        }
    }

    @Test(arguments: [
        FakeAnswer.json(#"{"status":"ok","revision":1}"#), FakeAnswer.json(#"["keys"]"#), FakeAnswer.json(""),
        FakeAnswer.json(#"{"status":"ok","keys":[{"key":"a","revision":1}],"revision":3}"#),
        FakeAnswer.json(#"{"status":"ok","keys":[{"key":"a","revision":1}],"rev"# + "\n"),
        FakeAnswer.value(Array(Self.page.utf8), revision: 1), FakeAnswer.stored(1),
    ])
    func `takes nothing else for a page`(steps: [FakeStep]) async throws {
        try await withGateway(upstream: FakeHTTPServer { _ in steps }) { gateway in
            let answer = await gateway.keys("prefix=a")
            #expect(answer.status == 502 && answer.code == "upstream_invalid")
        }
    }

    @Test func `of any size that kv-service sends, while a value keeps its own limit`() async throws {
        let limits = UpstreamLimits()
        #expect(limits.maxPageBytes > 6 * KeysRequest.maximumPageBytes)
        let (begin, end) = (#"{"status":"ok","keys":["#, "]}\n")
        let sizes = [limits.maxBodyBytes + 1, limits.maxPageBytes, limits.maxPageBytes + 1]
        for size in sizes {
            let page = begin + String(repeating: " ", count: size - begin.utf8.count - end.utf8.count) + end
            let upstream = FakeHTTPServer { request in
                request.path == "/kv/keys"
                    ? FakeAnswer.json(page) : FakeAnswer.value(Array(page.utf8), revision: 1)
            }
            try await withGateway(upstream: upstream) { gateway in
                let answer = await gateway.keys(nil)
                #expect(answer.status == (size > limits.maxPageBytes ? 502 : 200), "\(size)")
                if answer.status == 200 { #expect(answer.body.count == size) }
                #expect(await gateway.get("k").code == "value_too_large", "\(size)")
            }
        }
    }
}
