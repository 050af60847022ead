import TestSupport
import Testing

@testable import JSON

@Suite(.timeLimit(.minutes(1)))
struct ByteCursorTests {
    private func text(_ write: (inout ByteCursor) -> Void) -> String {
        var bytes = Array("> ".utf8)
        bytes.append(atMost: 100, write)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `pieces follow each other and what was there`() {
        let text = self.text { cursor in
            cursor.append("constant")
            cursor.append(UInt8(ascii: ","))
            cursor.append(text: "é")
            cursor.append(Array("bytes".utf8))
            cursor.append([])
            cursor.append(Array("span".utf8).span)
        }
        #expect(text == "> constant,ébytesspan")
    }

    @Test func `numbers have all their digits`() {
        var generator = SeededGenerator(printingFor: #function)
        let edges: [UInt64] = [
            0, 9, 10, 99, 100, .max, .max - 1, 9_999_999_999_999_999_999, 10_000_000_000_000_000_000,
        ]
        let random = (0..<2_000).map { _ in generator.next() >> UInt64.random(in: 0..<64, using: &generator) }
        for number in edges + random {
            #expect(self.text { $0.append(decimal: number) } == "> \(number)")
            let digits = String(number, radix: 16)
            let padded = String(repeating: "0", count: 16 - digits.count) + digits
            #expect(self.text { $0.append(hexadecimal: number) } == "> \(padded)")
        }
        #expect(self.text { $0.append(7, digits: 3) } == "> 007")
    }

    @Test func `what was not reserved is not written`() async {
        await #expect(processExitsWith: .failure) {
            var bytes: [UInt8] = []
            bytes.append(atMost: 3) { $0.append("four") }
        }
    }
}
