import NIOCore
import TestSupport
import Testing

@testable import APIGateway
@testable import HTTP1

@Suite("A key in a request to kv-service", .timeLimit(.minutes(1)))
struct UpstreamKeyTests {
    private func text(_ bytes: [UInt8]) -> String {
        var key = UpstreamKey()
        // The second one replaces the first. The key copies the bytes.
        unsafe Array("another key".utf8).withUnsafeBytes { unsafe key.replace(with: $0) }
        unsafe bytes.withUnsafeBytes { unsafe key.replace(with: $0) }
        return String(buffer: key.encoded)
    }

    @Test func `is encoded so that every parser decodes it to the same bytes`() {
        var random = SeededGenerator()
        for _ in 0..<500 {
            let bytes = random.bytes(Int.random(in: 1...64, using: &random))
            #expect(self.text(bytes) == KeyValueClient.encoded(bytes))
        }
        #expect(self.text(Array("aZ09-._~ /?&=+%".utf8)) == "aZ09-._~%20%2F%3F%26%3D%2B%25")
    }
}
