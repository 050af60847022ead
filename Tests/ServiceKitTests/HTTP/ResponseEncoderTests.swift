import NIOCore
import NIOHTTP1
import Testing

@testable import HTTP1

@Suite(.timeLimit(.minutes(1)))
struct ResponseEncoderTests {
    private func text(_ encoder: ResponseEncoder, _ response: HTTPResponse) -> String {
        var buffer = ByteBuffer()
        response.body.withBytes { body in
            encoder.write(
                response.head, body: body, requestID: "id", withoutBody: false, closes: false, keepAliveNamed: false,
                to: &buffer)
        }
        return String(buffer: buffer)
    }

    @Test func `the date goes with the clock`() {
        let encoder = ResponseEncoder()
        for (seconds, date) in [(0, "Thu, 01 Jan 1970 00:00:00 GMT"), (86_399, "Thu, 01 Jan 1970 23:59:59 GMT")] {
            encoder.refresh(wallClockNanoseconds: UInt64(seconds) * 1_000_000_000 + 999_999_999)
            #expect(self.text(encoder, .json(.ok, [])).contains("\r\nDate: \(date)\r\n"))
        }
    }

    @Test(arguments: [HTTPResponseStatus.noContent, .notModified])
    func `a status that has no body gets none, and no length`(status: HTTPResponseStatus) {
        let encoder = ResponseEncoder()
        encoder.refresh(wallClockNanoseconds: 0)
        let text = self.text(encoder, HTTPResponse(status: status, contentType: "text/plain", body: .bytes([0x78])))
        #expect(text.hasSuffix("\r\n\r\n"))
        #expect(!text.contains("\r\nContent-"))
    }
}
