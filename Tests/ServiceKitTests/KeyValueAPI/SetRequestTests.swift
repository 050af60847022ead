import AccessControl
import HTTP1
import HTTPServing
import JSON
import KeyValueHTTP
import NIOCore
import NIOEmbedded
import NIOHTTP1
import RequestTracing
import Testing

@Suite("A set request", .timeLimit(.minutes(1)))
struct SetRequestTests {
    private let limits = KeyValueLimits()

    private func parse(_ request: HTTPRequest, limits: KeyValueLimits? = nil) throws(Problem) -> (
        key: [UInt8], value: [UInt8]
    ) {
        var read: (key: [UInt8], value: [UInt8])?
        try SetRequest.read(request, limits: limits ?? self.limits) { (set) throws(Problem) in
            read = (Array(set.key), Array(set.value))
        }
        guard let read else { preconditionFailure("a request that is valid was not passed on") }
        return read
    }

    private func json(_ body: String, type: String? = "application/json", query: String? = nil) -> HTTPRequest {
        .sample(.post, query: query, contentType: type, body: Array(body.utf8))
    }

    @Test func `as JSON holds key and value`() throws {
        let parsed = try self.parse(self.json(#"{"key":"a b","value":"v\n"}"#))
        #expect(parsed.key == Array("a b".utf8))
        #expect(parsed.value == Array("v\n".utf8))
    }

    @Test(arguments: [nil, "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] as [String?])
    func `as JSON may say its type in any usual way`(type: String?) throws {
        let parsed = try self.parse(self.json(#"{"key":"k","value":""}"#, type: type))
        #expect(parsed.key == Array("k".utf8))
        #expect(parsed.value.isEmpty)
    }

    @Test func `as JSON takes Base64 for either field`() throws {
        let parsed = try self.parse(self.json(#"{"key_b64":"AP8=","value_b64":"/w=="}"#))
        #expect(parsed.key == [0, 255])
        #expect(parsed.value == [255])
    }

    @Test func `as raw bytes has its key in the query and its body as value`() throws {
        for method in [RequestMethod.post, .put] {
            let parsed = try self.parse(
                .sample(
                    method,
                    query: "key=a%23b%00+%20%C3%A9",
                    contentType: "application/octet-stream",
                    body: [0, 10, 255]
                )
            )
            #expect(parsed.key == Array("a#b\0+ é".utf8))
            #expect(parsed.value == [0, 10, 255])
        }
    }

    @Test(arguments: [
        (#"{"key":"k","key_b64":"aw==","value":"v"}"#, "bad_json"),
        (#"{"key":"k","value":"v","value_b64":"dg=="}"#, "bad_json"),
        (#"{"key":"k","value":1}"#, "bad_json"),
        (#"{"key":null,"value":"v"}"#, "bad_json"),
        (#"{"key_b64":true,"value":"v"}"#, "bad_json"),
        (#"{"key":"k","value_b64":"dg="}"#, "bad_json"),
        (#"{"key":"k","value":"v","ttl":"1"}"#, "bad_json"),
        (#"{"Key":"k","value":"v"}"#, "bad_json"),
        (#"{"value":"v"}"#, "key_missing"),
        (#"{"key":"k"}"#, "value_missing"),
        (#"{"key":"","value":"v"}"#, "key_empty"),
        (#"{"key":"k","key":"l","value":"v"}"#, "not_json"),
        (#"{"key":"k","value":"v"} x"#, "not_json"),
        (#"["key","value"]"#, "not_json"),
        ("", "not_json"),
    ])
    func `of the wrong shape is refused with its own code`(body: String, code: String) {
        let problem = #expect(throws: Problem.self) { try self.parse(self.json(body)) }
        #expect(problem?.code == code)
        #expect(problem?.status == .badRequest)
        #expect(problem?.applied == .no)
    }

    private static let ifMatch: (name: String, value: String) = ("If-Match", "\"5\"")

    @Test func `has a condition in the header or, as JSON, in the body`() throws {
        func condition(_ request: HTTPRequest) throws(Problem) -> Precondition? {
            var read: Precondition?
            try SetRequest.read(request, limits: self.limits) { (set) throws(Problem) in read = set.precondition }
            return read
        }
        func json(_ members: String, _ fields: [(name: String, value: String)] = []) -> HTTPRequest {
            .sample(
                .post, contentType: "application/json", fields: fields,
                body: Array(#"{"key":"k","value":"v"\#(members)}"#.utf8))
        }
        #expect(try condition(json("")) == Precondition.none)
        #expect(try condition(json("", [Self.ifMatch])) == .revision(5))
        #expect(try condition(json(#","if_revision":7"#)) == .revision(7))
        #expect(try condition(json(#","if_absent":true"#)) == .absent)
        #expect(
            try condition(
                .sample(.put, query: "key=k", contentType: "application/octet-stream", fields: [Self.ifMatch]))
                == .revision(5))
        for both in [
            json(#","if_revision":5"#, [Self.ifMatch]), json(#","if_absent":true"#, [("If-None-Match", "*")]),
            json(#","if_revision":5,"if_absent":true"#), json("", [Self.ifMatch, ("If-None-Match", "*")]),
            json("", [("If-Match", "5")]),
        ] {
            let problem = #expect(throws: Problem.self) { try condition(both) }
            #expect(problem?.code == "bad_precondition" && problem?.applied == .no)
        }
    }

    @Test(
        arguments: [
            (RequestMethod.post, nil, "text/plain"),
            (.post, nil, "application/x-www-form-urlencoded"),
            (.post, nil, "application/json; charset=latin1"),
            (.post, nil, "application/json, text/plain"),
            (.post, "key=k", nil),
            (.put, "key=k", nil),
            (.put, nil, "application/json"),
        ] as [(RequestMethod, String?, String?)]
    )
    func `of another type is refused`(method: RequestMethod, query: String?, type: String?) {
        let body = Array(#"{"key":"k","value":"v"}"#.utf8)
        let problem = #expect(throws: Problem.self) {
            try self.parse(.sample(method, query: query, contentType: type, body: body))
        }
        #expect(problem?.code == "unsupported_media_type")
        #expect(problem?.status == .unsupportedMediaType)
        #expect(problem?.applied == .no)
    }

    @Test(arguments: ["gzip", "identity", ""])
    func `in a content coding is refused, whatever its type`(coding: String) {
        let requests: [HTTPRequest] = [
            .sample(
                .post, contentType: "application/json", coding: coding, body: Array(#"{"key":"k","value":"v"}"#.utf8)),
            .sample(.put, query: "key=k", contentType: "application/octet-stream", coding: coding, body: [1]),
        ]
        for request in requests {
            let problem = #expect(throws: Problem.self) { try self.parse(request) }
            #expect(problem?.code == "unsupported_media_type")
            #expect(problem?.status == .unsupportedMediaType)
            #expect(problem?.applied == .no)
            #expect(problem?.detail.contains("Content-Encoding") == true)
        }
    }

    @Test(
        arguments: [
            (nil, "key_missing"), ("", "bad_query"), ("key=", "key_empty"), ("key=a&key=b", "duplicate_parameter"),
            ("key=a&ttl=1", "unknown_parameter"), ("key=%zz", "bad_query"),
        ] as [(String?, String)]
    )
    func `as raw bytes needs exactly one key in the query`(query: String?, code: String) {
        let problem = #expect(throws: Problem.self) {
            try self.parse(.sample(.put, query: query, contentType: "application/octet-stream", body: [1]))
        }
        // An empty query is either no key or no query.
        #expect(problem?.code == code || (query == "" && problem?.code == "key_missing"))
        #expect(problem?.applied == .no)
    }

    @Test func `as JSON takes no key in the query beside`() {
        let problem = #expect(throws: Problem.self) {
            try self.parse(self.json(#"{"key":"k","value":"v"}"#, query: "key=k"))
        }
        #expect(problem?.code == "unknown_parameter")
    }

    @Test func `is taken up to the limits and refused one byte above`() throws {
        let limits = KeyValueLimits(maxKeyBytes: 4, maxValueBytes: 6)
        func raw(_ key: String, _ value: Int) -> HTTPRequest {
            .sample(
                .put,
                query: "key=\(key)",
                contentType: "application/octet-stream",
                body: [UInt8](repeating: 7, count: value)
            )
        }
        #expect(try self.parse(raw("1234", 6), limits: limits).value.count == 6)
        let longKey = #expect(throws: Problem.self) { try self.parse(raw("12345", 6), limits: limits) }
        #expect(longKey?.code == "key_too_large")
        #expect(longKey?.status == .badRequest)
        let longValue = #expect(throws: Problem.self) { try self.parse(raw("1234", 7), limits: limits) }
        #expect(longValue?.code == "value_too_large")
        #expect(longValue?.status == .payloadTooLarge)
        let longJSON = #expect(throws: Problem.self) {
            try self.parse(self.json(#"{"key":"k","value":"1234567"}"#), limits: limits)
        }
        #expect(longJSON?.code == "value_too_large")
    }

    @Test(
        arguments: [
            ("application/octet-stream", 6, false), ("application/octet-stream", 7, true),
            ("Application/Octet-Stream; x=y", 7, true), ("application/json", 7, false), ("text/plain", 7, false),
            (nil, 7, false),
        ] as [(String?, Int, Bool)])
    func `is too large by its length alone if it is a value as it is`(type: String?, length: Int, isRefused: Bool) {
        let headers = HeaderFields(type.map { [("Content-Type", $0)] } ?? [])
        let limits = KeyValueLimits(maxKeyBytes: 3, maxValueBytes: 6)
        let problem = SetRequest.refusal(ofBody: length, headers, limits: limits)
        #expect(problem?.code == (isRefused ? "value_too_large" : nil))
        #expect(problem?.applied == (isRefused ? .no : nil))
    }

    @Test func `fits the body limit even where JSON escapes every byte`() throws {
        let limits = KeyValueLimits(maxKeyBytes: 16, maxValueBytes: 256)
        let key = String(repeating: #"\u0001"#, count: 16)
        let value = String(repeating: #"\u0000"#, count: 256)
        let request = self.json(#"{"key":"\#(key)","value":"\#(value)"}"#)
        #expect(request.body.readableBytes <= limits.maxSetBodyBytes)
        let parsed = try self.parse(request, limits: limits)
        #expect(parsed.key == [UInt8](repeating: 1, count: 16))
        #expect(parsed.value == [UInt8](repeating: 0, count: 256))
    }
}

extension HTTPRequest {
    static func sample(
        _ method: RequestMethod,
        query: String? = nil,
        contentType: String? = nil,
        coding: String? = nil,
        accept: [String] = [],
        fields: [(name: String, value: String)] = [],
        body: [UInt8] = [],
        access: AccessEntry? = nil
    ) -> HTTPRequest {
        var headers = fields + accept.map { (name: "Accept", value: $0) }
        if let coding { headers.append((name: "content-encoding", value: coding)) }
        if let contentType { headers.append((name: "Content-Type", value: contentType)) }
        let trace = TraceContext(
            traceID: "0af7651916cd43dd8448eb211c80319c", spanID: "b7ad6b7169203331", flags: 1)!
        return HTTPRequest(
            sample: method,
            target: "/kv/any" + (query.map { "?" + $0 } ?? ""),
            fields: headers,
            body: ByteBuffer(bytes: body),
            identity: RequestIdentity(id: "request-1", trace: trace),
            access: access,
            eventLoop: EmbeddedEventLoop()
        )
    }
}
