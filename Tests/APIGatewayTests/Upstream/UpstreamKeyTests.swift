import NIOCore
import TestSupport
import Testing

@testable import APIGateway
@testable import HTTP1

@Suite("A key in a request to kv-service", .timeLimit(.minutes(1)))
struct UpstreamKeyTests {
    private func text(_ key: UpstreamKey) -> String {
        var buffer = ByteBuffer()
        buffer.writeWithOutputRawSpan(minimumWritableBytes: key.maxEncodedBytes) { key.append(to: &$0) }
        return String(buffer: buffer)
    }

    @Test func `is encoded so that every parser decodes it to the same bytes`() {
        var random = SeededGenerator()
        for _ in 0..<500 {
            let bytes = random.bytes(Int.random(in: 1...64, using: &random))
            #expect(self.text(UpstreamKey(ByteBuffer(bytes: bytes))) == PercentEncoding.encodeQueryComponent(bytes))
        }
        #expect(self.text(UpstreamKey(ByteBuffer(string: "aZ09-._~ /?&=+%"))) == "aZ09-._~%20%2F%3F%26%3D%2B%25")
    }
}
