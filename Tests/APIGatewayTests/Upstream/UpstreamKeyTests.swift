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

    @Test(arguments: ["a", "A-z_0.9~", "%00", "a%2Fb%c3%Bc", "%25%25"])
    func `is passed on as the client encoded it`(encoded: String) throws {
        let key = try #require(UpstreamKey(encoded: ByteBuffer(string: encoded)))
        #expect(self.text(key) == encoded)
    }

    @Test(arguments: ["", "a+b", "a b", "a&b", "a=b", "a#b", "a/b", "a\r\n", "\0", "é", "%", "%2", "%2g", "a%", "%%41"])
    func `is not passed on if anything in it could mean something else`(encoded: String) {
        #expect(UpstreamKey(encoded: ByteBuffer(string: encoded)) == nil)
    }

    @Test func `is the same for kv-service in either form`() throws {
        var random = SeededGenerator()
        for _ in 0..<500 {
            let bytes = random.bytes(Int.random(in: 1...64, using: &random))
            let encoded = self.text(UpstreamKey(ByteBuffer(bytes: bytes)))
            #expect(encoded == PercentEncoding.encodeQueryComponent(bytes))
            let passedOn = try #require(UpstreamKey(encoded: ByteBuffer(string: encoded)))
            #expect(self.text(passedOn) == encoded)
        }
    }
}
