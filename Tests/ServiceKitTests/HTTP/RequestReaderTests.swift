import NIOCore
import Testing

@testable import HTTP1

@Suite(.timeLimit(.minutes(1)))
struct RequestReaderTests {
    @Test func `no more than a bounded number of bytes waits`() {
        let reader = RequestReader(limits: HeadScanner.Limits())
        func bytes(_ count: Int) -> ByteBuffer { ByteBuffer(repeating: 0x78, count: count) }
        let taken = [reader.append(bytes(200_000)), reader.append(bytes(62_144)), reader.append(bytes(1))]
        #expect(taken == [true, true, false])
        _ = reader.nextPiece(limit: 1)
        let takenAfterOne = [reader.append(bytes(1)), reader.append(bytes(1))]
        #expect(takenAfterOne == [true, false])
        reader.dropAll()
        #expect(!reader.holdsBytes)
        let takenAfterAll = reader.append(bytes(262_144))
        #expect(takenAfterAll)
    }

    @Test func `what waits for long does not hold a receive buffer of which it is a small part`() {
        let reader = RequestReader(limits: HeadScanner.Limits())
        _ = reader.append(ByteBuffer(bytes: (0..<65_536).map { UInt8(truncatingIfNeeded: $0) }))
        _ = reader.nextPiece(limit: 65_000)
        #expect(reader.storageBytes >= 65_536)
        reader.compact()
        #expect(reader.storageBytes <= 1_024)
        #expect(
            Array(reader.nextPiece(limit: 65_536).readableBytesView)
                == (65_000..<65_536).map { UInt8(truncatingIfNeeded: $0) })
    }

    /// As over TLS, where each record arrives in a buffer of 32 KiB.
    private func received(_ text: String) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: 32_768)
        buffer.writeString(text)
        return buffer
    }

    @Test func `a head that arrives slowly holds no receive buffer, and is the same head`() {
        let reader = RequestReader(limits: HeadScanner.Limits())
        let text = "GET /get?key=a HTTP/1.1\r\nHost: a\r\n\r\n"
        var head: RequestHead?
        for character in text.unicodeScalars {
            _ = reader.append(self.received(String(character)))
            switch reader.nextHead() {
            case .incomplete: #expect(reader.storageBytes <= 4_096)
            case .complete(let complete): head = complete
            case .refused(let refusal): Issue.record("refused: \(refusal)")
            }
        }
        #expect(head.map { String(buffer: $0.bytes) } == text)
        #expect(head.map { Array(text.utf8)[$0.target] }.map { String(decoding: $0, as: UTF8.self) } == "/get?key=a")
    }

    @Test func `a head whose body is on its way can let go of its receive buffer`() {
        let reader = RequestReader(limits: HeadScanner.Limits())
        _ = reader.append(self.received("PUT /set HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"))
        guard case .complete(var head) = reader.nextHead() else {
            Issue.record("the head is complete")
            return
        }
        let text = String(buffer: head.bytes)
        #expect(head.bytes.storageCapacity >= 32_768)
        head.compact()
        #expect(head.bytes.storageCapacity <= 1_024)
        #expect(String(buffer: head.bytes) == text)
    }
}
