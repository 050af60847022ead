import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import EtcdEngine

@Suite("Pings of an HTTP/2 server", .timeLimit(.minutes(1)))
struct HTTP2PingResponderTests {
    private static func frame(_ type: UInt8, flags: UInt8 = 0, _ payload: [UInt8]) -> [UInt8] {
        let length = payload.count
        return [UInt8(length >> 16), UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF), type, flags, 0, 0, 0, 0] + payload
    }

    /// What passes, and what is answered.
    private static func pass(_ pieces: [[UInt8]]) throws -> (passed: [UInt8], answered: [UInt8]) {
        let channel = EmbeddedChannel(handler: HTTP2PingResponder())
        for piece in pieces { try channel.writeInbound(ByteBuffer(bytes: piece)) }
        var (passed, answered): ([UInt8], [UInt8]) = ([], [])
        while let buffer = try channel.readInbound(as: ByteBuffer.self) { passed += Array(buffer.readableBytesView) }
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { answered += Array(buffer.readableBytesView) }
        _ = try channel.finish()
        return (passed, answered)
    }

    @Test func `are answered, and all other frames pass, however the bytes are cut`() throws {
        let payload: [UInt8] = [2, 4, 16, 16, 9, 14, 7, 7]
        let (settings, data) = (Self.frame(4, []), Self.frame(0, flags: 1, [1, 2, 3]))
        let acknowledgement = Self.frame(6, flags: 1, [8, 7, 6, 5, 4, 3, 2, 1])
        let bytes = settings + Self.frame(6, payload) + data + acknowledgement + Self.frame(6, payload)
        for cut in 0...bytes.count {
            for next in cut...bytes.count {
                let pieces = [Array(bytes[..<cut]), Array(bytes[cut..<next]), Array(bytes[next...])]
                let (passed, answered) = try Self.pass(pieces)
                #expect(passed == settings + data + acknowledgement, "cut at \(cut) and \(next)")
                #expect(
                    answered == Self.frame(6, flags: 1, payload) + Self.frame(6, flags: 1, payload),
                    "cut at \(cut) and \(next)")
            }
        }
    }

    @Test func `of a wrong length are left to those who know what that means`() throws {
        let bytes = Self.frame(6, [1, 2, 3])
        let (passed, answered) = try Self.pass([bytes])
        #expect(passed == bytes && answered == [])
    }

    @Test func `random frames in random pieces`() throws {
        var generator = SeededGenerator(printingFor: #function)
        for _ in 0..<200 {
            var (bytes, expected, answers): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
            for _ in 0..<Int.random(in: 1...20, using: &generator) {
                let isPing = Bool.random(using: &generator)
                let count = isPing ? 8 : Int.random(in: 0...70_000, using: &generator) % 3_000
                let payload = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
                if isPing {
                    bytes += Self.frame(6, payload)
                    answers += Self.frame(6, flags: 1, payload)
                } else {
                    let frame = Self.frame(UInt8.random(in: 0...5, using: &generator), payload)
                    bytes += frame
                    expected += frame
                }
            }
            var (pieces, rest): ([[UInt8]], ArraySlice<UInt8>) = ([], bytes[...])
            while !rest.isEmpty {
                let count = Int.random(in: 1...1_500, using: &generator)
                pieces.append(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            let (passed, answered) = try Self.pass(pieces)
            #expect(passed == expected && answered == answers)
        }
    }
}
