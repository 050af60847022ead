import TestSupport

/// Well-formed answers of kv-service.
enum FakeAnswer {
    static func json(_ body: String, status: String = "200 OK", fields: String = "") -> [FakeStep] {
        self.answer(status, type: "application/json", Array(body.utf8), fields: fields)
    }

    static func problem(_ status: String, _ body: String, fields: String = "") -> [FakeStep] {
        self.answer(status, type: "application/problem+json", Array(body.utf8), fields: fields)
    }

    static func value(_ bytes: [UInt8], revision: UInt64) -> [FakeStep] {
        self.answer("200 OK", type: "application/octet-stream", bytes, fields: "ETag: \"\(revision)\"\r\n")
    }

    static func stored(_ revision: UInt64) -> [FakeStep] {
        self.json(
            #"{"status":"ok","message":"value set","revision":\#(revision)}"#,
            fields: "ETag: \"\(revision)\"\r\n"
        )
    }

    static let deleted = Self.json(#"{"status":"ok","message":"key deleted","deleted":true,"revision":9}"#)

    static let missing = Self.problem(
        "404 Not Found",
        #"{"type":"urn:kv:error:key_not_found","status":404,"code":"key_not_found","detail":"no such key"}"#,
        fields: "X-KV-Result: miss\r\n"
    )

    /// An unmet condition.
    ///
    /// - Parameters:
    ///   - revision: that the key has; nil if it does not exist.
    ///   - tag: that in `ETag`, if it is another one.
    static func preconditionFailed(
        _ revision: UInt64?, tag: String? = nil, code: String = "precondition_failed", applied: String = "no"
    ) -> [FakeStep] {
        let member = revision.map { ",\"revision\":\($0)" } ?? ""
        let tag = tag ?? revision.map { "\"\($0)\"" } ?? ""
        return self.problem(
            "412 Precondition Failed", #"{"code":"\#(code)","detail":"Why.","applied":"\#(applied)"\#(member)}"#,
            fields: tag.isEmpty ? "" : "ETag: \(tag)\r\n")
    }

    /// What kv-service says at `/readyz`.
    static let ready = Self.json(#"{"status":"ok","service":"kv-service","state":"ready","checks":[]}"#)
    static let notReady = Self.json(
        #"{"status":"unavailable","service":"kv-service","state":"replaying","checks":[{"name":"a","message":"]"}]}"#,
        status: "503 Service Unavailable"
    )

    /// What kv-service says to a connection above its limit, before it reads anything.
    static func connectionRefused(
        code: String = "too_many_connections", fields: String = "Connection: close\r\n"
    ) -> [FakeStep] {
        self.problem(
            "503 Service Unavailable",
            #"{"status":503,"code":"\#(code)","detail":"All 2 connections are in use.","request_id":"kv-1"}"#,
            fields: "X-Request-Id: kv-1\r\nRetry-After: 1\r\n\(fields)"
        )
    }

    static func answer(_ status: String, type: String, _ body: [UInt8], fields: String = "") -> [FakeStep] {
        let head = "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.count)\r\n\(fields)\r\n"
        return [.send(Array(head.utf8) + body)]
    }
}
