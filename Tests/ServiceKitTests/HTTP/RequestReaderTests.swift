import NIOCore
import Testing

@testable import ServiceKit

@Suite struct RequestReaderTests {
    @Test func `no more than a bounded number of bytes waits`() {
        var reader = RequestReader(limits: HeadScanner.Limits())
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
}
