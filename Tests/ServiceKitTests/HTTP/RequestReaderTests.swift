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
}
