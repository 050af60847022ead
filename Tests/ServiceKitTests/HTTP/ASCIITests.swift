import TestSupport
import Testing

@testable import HTTP1

@Suite(.timeLimit(.minutes(1)))
struct ASCIITests {
    @Test func `a token consists of the characters of RFC 9110`() {
        let characters = Set(
            "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        for byte in UInt8.min...UInt8.max {
            #expect(ASCII.isTokenCharacter(byte) == characters.contains(byte), "byte \(byte)")
        }
    }

    @Test func `the first control character is found at every place, whatever is around it`() {
        var generator = SeededGenerator(printingFor: #function)
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...40, using: &generator)
            var text = generator.bytes(count)
            // Mostly text, with bytes at the ends of the ranges.
            for index in text.indices where generator.chance(0.9) {
                text[index] = [0x20, 0x21, 0x7E, 0x80, 0xA0, 0xFF, 0x61].randomElement(using: &generator) ?? 0
            }
            let begin = Int.random(in: 0...count, using: &generator)
            let first = text[begin...].firstIndex { $0 < 0x20 || $0 == 0x7F } ?? count
            #expect(ASCII.firstControl(in: text.span, from: begin) == first, "\(text) from \(begin)")
        }
    }

    @Test func `the first byte of a value is found within its range only`() {
        let text = Array("/a?b#c?".utf8)
        #expect(ASCII.first("?", in: text.span, from: 0, before: 7) == 2)
        #expect(ASCII.first("?", in: text.span, from: 3, before: 7) == 6)
        #expect(ASCII.first("?", in: text.span, from: 3, before: 6) == nil)
        #expect(ASCII.first("#", in: text.span, from: 7, before: 7) == nil)
    }
}
