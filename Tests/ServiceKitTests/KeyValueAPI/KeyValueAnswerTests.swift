import HTTP1
import HTTPServing
import JSON
import KeyValueHTTP
import NIOCore
import NIOEmbedded
import NIOHTTP1
import RequestTracing
import Testing

@Suite("An answer of the key-value operations", .timeLimit(.minutes(1)))
struct KeyValueAnswerTests {
    private func text(_ response: HTTPResponse) -> String {
        switch response.body {
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .buffer(let buffer): String(buffer: buffer)
        }
    }

    /// What an action answers.
    private func answer(_ act: (Responder) -> Void) throws -> HTTPResponse {
        var answer: HTTPResponse?
        let trace = try #require(
            TraceContext(traceID: String(repeating: "a", count: 32), spanID: String(repeating: "b", count: 16)))
        let request = HTTPRequest(
            sample: .get, target: "/", identity: RequestIdentity(id: "r", trace: trace),
            eventLoop: EmbeddedEventLoop()
        ) { response, _ in answer = response }
        act(Responder(request))
        return try #require(answer)
    }

    private func answer(
        _ value: [UInt8], revision: UInt64, as representation: ValueRepresentation
    ) throws -> HTTPResponse {
        try self.answer { responder in
            value.withUnsafeBytes {
                KeyValueAnswer.value(responder, $0, revision: revision, expiresAt: 0, as: representation)
            }
        }
    }

    @Test func `to a set has message, revision and entity tag`() throws {
        let response = try self.answer { KeyValueAnswer.set($0, revision: .max, message: "value set") }
        #expect(self.text(response) == #"{"status":"ok","message":"value set","revision":18446744073709551615}"# + "\n")
        #expect(response.head.entityTag == .max)
        #expect("\(response.contentType)" == "application/json")
    }

    @Test func `to a delete says whether there was something to delete`() throws {
        let deleted = try self.answer {
            KeyValueAnswer.deleted($0, true, revision: 7, message: "key deleted")
        }
        #expect(self.text(deleted) == #"{"status":"ok","message":"key deleted","deleted":true,"revision":7}"# + "\n")
        let absent = try self.answer {
            KeyValueAnswer.deleted($0, false, revision: nil, message: "key deleted")
        }
        #expect(
            self.text(absent)
                == #"{"status":"ok","message":"key not found, nothing deleted","deleted":false}"# + "\n")
    }

    @Test func `with a value as text, empty or not, always has the value`() throws {
        let response = try self.answer(Array("a\"é\u{1F600}".utf8), revision: 3, as: .json)
        #expect(self.text(response) == #"{"status":"ok","value":"a\"é😀","revision":3}"# + "\n")
        #expect(response.head.entityTag == 3)
        let empty = try self.answer([], revision: 4, as: .json)
        #expect(self.text(empty) == #"{"status":"ok","value":"","revision":4}"# + "\n")
    }

    @Test(
        arguments: [
            [0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xC0, 0x80], [0x61, 0x80], [0xF4, 0x90, 0x80, 0x80],
        ] as [[UInt8]]
    )
    func `with a value that is not UTF-8 has it in Base64`(bytes: [UInt8]) throws {
        let response = try self.answer(bytes, revision: 3, as: .json)
        let encoded = Base64.encode(bytes)
        #expect(
            self.text(response)
                == #"{"status":"ok","value_b64":"\#(encoded)","encoding":"base64","revision":3}"# + "\n")
    }

    @Test func `with a raw value is its bytes`() throws {
        let response = try self.answer([0, 255, 10], revision: 9, as: .raw)
        guard case .bytes(let body) = response.body else {
            Issue.record("the value is not in bytes")
            return
        }
        #expect(body == [0, 255, 10])
        #expect("\(response.contentType)" == "application/octet-stream")
        #expect(response.head.entityTag == 9)
    }

    @Test func `that a value is not modified has its entity tag and nothing else`() throws {
        let response = try self.answer { KeyValueAnswer.notModified($0, revision: 9) }
        #expect(response.status == .notModified && response.head.entityTag == 9 && self.text(response) == "")
    }

    @Test func `that a condition is not met has the revision of the key, or says that there is no key`() {
        let exists = KeyValueAnswer.preconditionFailed(current: 9).response(requestID: "r")
        #expect(exists.status == .preconditionFailed && exists.head.entityTag == 9)
        #expect(
            self.text(exists).contains(#""code":"precondition_failed","request_id":"r","applied":"no","revision":9}"#))
        let missing = KeyValueAnswer.preconditionFailed(current: nil).response(requestID: "r")
        #expect(missing.status == .preconditionFailed && missing.head.entityTag == nil)
        #expect(self.text(missing).contains("The key does not exist"))
        #expect(self.text(missing).hasSuffix(#""applied":"no"}"# + "\n"))
    }

    @Test func `for a missing key tells it from a missing route`() {
        #expect(KeyValueAnswer.keyNotFound.code == "key_not_found")
        #expect(KeyValueAnswer.keyNotFound.status == .notFound)
        #expect(KeyValueAnswer.keyNotFound.headers.contains { "\($0.name)" == "X-KV-Result" && $0.value == "miss" })
        #expect(KeyValueAnswer.keyNotFound.applied == nil)
    }

    @Test(
        arguments: [
            ([], false), (["*/*"], false), (["application/json"], false), (["application/octet-stream"], true),
            (["Application/Octet-Stream ; q=0.5, */*;q=0.1"], true), (["application/octet-stream;q=0"], false),
            (["application/octet-stream;q=0.000"], false), (["application/octet-stream;q=0.001"], true),
            (["application/octet-stream;q=0.5,application/json"], false), (["application/*"], false),
            (["application/json;q=0.5", "application/octet-stream;q=0.50"], true),
            (["application/octet-streams"], false),
            (["application/octet-stream;q=x"], false), (["application/octet-stream;q=1.001"], true),
        ] as [([String], Bool)]
    )
    func `has the raw value only where the client names it`(accept: [String], raw: Bool) {
        let representation = ValueRepresentation(of: .sample(.get, accept: accept))
        #expect((representation == .raw) == raw)
    }
}
