import KeyValueHTTP
import NIOCore
import ServiceKit
import ServiceSettings
import TestSupport
import Testing

@testable import APIGateway
@testable import HTTPServing
@testable import RequestTracing

extension UpstreamExchange {
    static func sample(
        _ operation: UpstreamOperation = .get,
        if condition: Precondition = .none,
        idempotencyKey: [UInt8] = [],
        key: [UInt8] = [1],
        value: [UInt8] = [],
        wantsTiming: Bool = false,
        trace: TraceContext = ForwarderHarness.trace,
        deadlineNanoseconds: UInt64 = 0
    ) -> UpstreamExchange {
        let exchange = UpstreamExchange(identity: RequestIdentity(id: "request-1", trace: trace))
        // The key copies the bytes.
        unsafe key.withUnsafeBytes { unsafe exchange.key.replace(with: $0) }
        exchange.value = ByteBuffer(bytes: value)
        exchange.begin(
            operation,
            if: condition,
            idempotencyKey: idempotencyKey,
            identity: exchange.identity,
            wantsTiming: wantsTiming,
            deadlineNanoseconds: deadlineNanoseconds
        )
        return exchange
    }
}

@Suite("A request to kv-service", .timeLimit(.minutes(1)))
struct UpstreamRequestTests {
    private func text(_ exchange: UpstreamExchange, timeoutMilliseconds: UInt64 = 250) -> String {
        var buffer = ByteBuffer()
        UpstreamRequestEncoder(authority: "[::1]:8081", keyPrefix: "gw-")
            .encodeHead(exchange, timeoutMilliseconds: timeoutMilliseconds, into: &buffer)
        return String(buffer: buffer)
    }

    /// Those of a write, with its idempotency key.
    private static var idsOfWrite: String {
        Self.ids.replacing("X-Request-Timeout-Ms", with: "Idempotency-Key: gw-0\r\nX-Request-Timeout-Ms")
    }

    private static let ids = """
        X-Request-Id: request-1\r
        traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r
        tracestate: vendor=1\r
        X-Request-Timeout-Ms: 250\r

        """

    @Test func `has these bytes`() {
        #expect(
            self.text(.sample(.get, key: Array("a/ü".utf8)))
                == "GET /kv/get?key=a%2F%C3%BC HTTP/1.1\r\nHost: [::1]:8081\r\nAccept: application/octet-stream\r\n"
                + Self.ids + "\r\n"
        )
        #expect(
            self.text(.sample(.set, key: Array("k".utf8), value: [1, 2, 3]))
                == "POST /kv/set?key=k HTTP/1.1\r\nHost: [::1]:8081\r\nContent-Type: application/octet-stream\r\n"
                + "Content-Length: 3\r\n" + Self.idsOfWrite + "\r\n"
        )
        #expect(
            self.text(.sample(.delete, key: Array("k".utf8), wantsTiming: true))
                == "DELETE /kv/delete?key=k HTTP/1.1\r\nHost: [::1]:8081\r\n" + Self.idsOfWrite
                + "X-Request-Timing: 1\r\n\r\n"
        )
        #expect(self.text(.sample(.probe, key: [])).hasPrefix("GET /readyz HTTP/1.1\r\nHost: [::1]:8081\r\n"))
    }

    @Test func `has the condition of a write as a field`() {
        let rows: [(Precondition, String)] = [
            (.none, ""), (.exists, "If-Match: *\r\n"), (.absent, "If-None-Match: *\r\n"),
            (.revision(5), "If-Match: \"5\"\r\n"), (.revision(.max), "If-Match: \"18446744073709551615\"\r\n"),
        ]
        let ids = Self.idsOfWrite.split(separator: "X-Request-Timeout-Ms")
        for (condition, field) in rows {
            for operation in [UpstreamOperation.set, .delete] {
                #expect(
                    self.text(.sample(operation, if: condition)).hasSuffix(
                        "\(ids[0])\(field)X-Request-Timeout-Ms\(ids[1])\r\n"))
            }
        }
    }

    @Test func `has the idempotency key of its client, or one of its own for each write`() {
        let exchange = UpstreamExchange.sample(.delete)
        exchange.takeNumber(.max)
        #expect(self.text(exchange).contains("\r\nIdempotency-Key: gw-18446744073709551615\r\n"))
        let ofClient = UpstreamExchange.sample(.set, idempotencyKey: Array("client's".utf8))
        #expect(self.text(ofClient).contains("\r\nIdempotency-Key: client's\r\n"))
        for operation in [UpstreamOperation.get, .keys, .mget, .probe] {
            #expect(!self.text(.sample(operation)).contains("Idempotency-Key"))
        }
    }

    @Test func `has the gateway's access key, which can be replaced`() throws {
        let folder = TemporaryFolder()
        let path = folder.file("key")
        func field(_ letter: String) -> String {
            "\r\nAuthorization: Bearer txk_\(String(repeating: letter, count: 43))\r\n"
        }
        func write(_ letter: String) throws {
            try FileText.write("txk_\(String(repeating: letter, count: 43))\n", to: path)
        }
        try write("a")
        let accessKey = try UpstreamAccessKey(file: path)
        let encoder = UpstreamRequestEncoder(authority: "[::1]:8081", keyPrefix: "gw-", accessKey: accessKey)
        func text(_ operation: UpstreamOperation) -> String {
            var buffer = ByteBuffer()
            encoder.encodeHead(.sample(operation), timeoutMilliseconds: 1, into: &buffer)
            return String(buffer: buffer)
        }
        for operation in UpstreamOperation.allCases {
            #expect(text(operation).ranges(of: field("a")).count == 1, "\(operation)")
            #expect(!self.text(.sample(operation)).contains("Authorization"))
        }
        try write("b")
        let settings = try GatewaySettings.table.resolve(flags: ["upstream-access-key-file": path], environment: [:])
        let commit = try accessKey.reloads.prepare(settings)
        #expect(text(.get).contains(field("a")))
        commit()
        #expect(text(.get).contains(field("b")))
        for wrong in ["", "txk_short", String(repeating: "a", count: 47)] {
            try FileText.write(wrong, to: path)
            #expect(throws: ReloadError.self) { try accessKey.reloads.prepare(settings) }
        }
        #expect(text(.get).contains(field("b")))
    }

    /// Room for the head is made before its parts are written; a part without room ends the process.
    @Test func `has room for the largest of everything`() throws {
        let trace = try #require(
            TraceContext(
                traceID: "0af7651916cd43dd8448eb211c80319c", spanID: "b7ad6b7169203331", flags: 1,
                state: "a=" + String(repeating: "x", count: 500)))
        let exchange = UpstreamExchange.sample(
            .set, if: .revision(.max), idempotencyKey: [UInt8](repeating: 0x61, count: 128),
            key: [UInt8](repeating: 0, count: 1_024),
            value: [UInt8](repeating: 1, count: 65_536), wantsTiming: true, trace: trace)
        var buffer = ByteBuffer()
        UpstreamRequestEncoder(authority: "[::1]:8081", keyPrefix: "gw-")
            .encodeHead(exchange, timeoutMilliseconds: .max, into: &buffer)
        let text = String(buffer: buffer)
        #expect(text.contains("\r\nIf-Match: \"18446744073709551615\"\r\n"))
        #expect(text.hasSuffix("\r\nX-Request-Timeout-Ms: 18446744073709551615\r\nX-Request-Timing: 1\r\n\r\n"))
    }

    @Test func `says the length of an empty value`() {
        #expect(self.text(.sample(.set, value: [])).contains("\r\nContent-Length: 0\r\n"))
    }

    @Test func `says no state of a trace that has none, and a millisecond where less is left`() throws {
        let trace = try #require(
            TraceContext(traceID: "0af7651916cd43dd8448eb211c80319c", spanID: "b7ad6b7169203331")
        )
        let text = self.text(.sample(trace: trace), timeoutMilliseconds: 0)
        #expect(!text.contains("tracestate"))
        #expect(text.contains("-00\r\n"))
        #expect(text.contains("\r\nX-Request-Timeout-Ms: 1\r\n"))
    }

    @Test func `escapes every byte of a key that does not stand for itself`() {
        let unreserved = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        for byte in UInt8.min ... .max {
            let digits = String(byte, radix: 16, uppercase: true)
            let expected =
                unreserved.contains(byte)
                ? String(UnicodeScalar(byte)) : "%" + String(repeating: "0", count: 2 - digits.count) + digits
            #expect(self.text(.sample(key: [byte])).hasPrefix("GET /kv/get?key=\(expected) HTTP/1.1\r\n"))
        }
    }
}
