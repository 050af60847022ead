import HTTPServing
import JSON
import KeyValueHTTP
import NIOEmbedded
import RequestTracing
import TestSupport
import Testing

@testable import APIGateway
@testable import HTTP1

@Suite("The document of a set", .timeLimit(.minutes(1)))
struct StoredDocumentTests {
    /// What the general reader makes of a document.
    private func general(_ bytes: [UInt8]) -> UInt64? {
        guard let document = try? FlatJSONObject(parsing: bytes), case .string(let status)? = document["status"],
            status.elementsEqual("ok".utf8), case .number(let digits)? = document["revision"]
        else { return nil }
        return UInt64(digits)
    }

    @Test(arguments: [0, 1, 7, 10, 9_999_999_999_999_999_999, .max] as [UInt64])
    func `of kv-service is read in place, up to 19 digits`(revision: UInt64) {
        var answer: HTTPResponse?
        let request = HTTPRequest(
            sample: .put, target: "/", identity: RequestIdentity(id: "r", trace: ForwarderHarness.trace),
            eventLoop: EmbeddedEventLoop()
        ) { response, _ in answer = response }
        KeyValueAnswer.set(Responder(request), revision: revision, message: "value set")
        guard case .bytes(let bytes)? = answer?.body else {
            Issue.record("not bytes")
            return
        }
        #expect(StoredDocument.revision(in: bytes.span) == (revision == .max ? nil : revision))
        #expect(self.general(bytes) == revision)
    }

    @Test func `is never read in place where the general reader refuses it or reads something else`() {
        var random = SeededGenerator()
        let pieces = ["\"", "\\", "{", "}", ",", ":", "0", "9", "-", ".", "e", "\n", " ", "\u{e9}", "\0", "revision"]
        var inPlace = 0
        for _ in 0..<20_000 {
            let revision = random.next() >> UInt64.random(in: 0...63, using: &random)
            var bytes = Array(#"{"status":"ok","message":"value set","revision":\#(revision)}"#.utf8)
            if random.chance(0.5) { bytes.append(UInt8(ascii: "\n")) }
            for _ in 0..<Int.random(in: 0...2, using: &random) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                case 2: bytes.removeSubrange(place...)
                default: bytes.insert(contentsOf: Array(pieces.randomElement(using: &random)!.utf8), at: place)
                }
            }
            guard let found = StoredDocument.revision(in: bytes.span) else { continue }
            inPlace += 1
            guard self.general(bytes) != found else { continue }
            Issue.record("\(found): \(String(decoding: bytes, as: UTF8.self))")
            return
        }
        #expect(inPlace > 5000)
    }
}
