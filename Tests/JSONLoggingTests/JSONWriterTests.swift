import Foundation
import TestSupport
import Testing

@testable import JSON

@Suite("The JSON writer", .timeLimit(.minutes(1)))
struct JSONWriterTests {
    private func text(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test func `places commas between members and elements and nowhere else`() {
        let text = self.text { writer in
            writer.object { writer in
                writer.member("a", 1)
                writer.member("b", object: { _ in })
                writer.member("c", array: { _ in })
                writer.member(
                    "d",
                    object: { writer in
                        writer.member("e", true)
                        writer.member("f", Int?.none)
                    }
                )
                writer.member(
                    "g",
                    array: { writer in
                        writer.element("x")
                        writer.element(object: { $0.member("y", false) })
                        writer.element(array: { writer in
                            writer.elementNull()
                            writer.element(array: { _ in })
                        })
                        writer.element(2)
                    }
                )
                writer.memberNull("h")
            }
        }
        #expect(
            text
                == #"{"a":1,"b":{},"c":[],"d":{"e":true,"f":null},"g":["x",{"y":false},[null,[]],2],"h":null}"#
        )
    }

    @Test func `begins each line anew`() {
        let text = self.text { writer in
            writer.object { $0.member("a", 1) }
            writer.newline()
            writer.array { $0.element(2) }
            writer.newline()
        }
        #expect(text == "{\"a\":1}\n[2]\n")
    }

    @Test func `takes names that are known at run time only and escapes them`() throws {
        let text = self.text { writer in
            writer.object { writer in
                writer.member(name: "a\"\n", "x")
                writer.member(name: "b", object: { $0.memberNull(name: "é\u{2028}") })
                writer.member(name: "", array: { _ in })
            }
        }
        #expect(text == #"{"a\"\n":"x","b":{"é\u2028":null},"":[]}"#)
    }

    @Test func `writes integers to both ends of their range`() {
        let text = self.text { writer in
            writer.array { writer in
                writer.element(Int.min)
                writer.element(Int.max)
                writer.element(UInt64.max)
                writer.element(UInt64(0))
                writer.element(Int32.min)
                writer.element(-1)
                writer.element(10)
                writer.element(9_999_999_999)
            }
        }
        #expect(
            text
                == "[-9223372036854775808,9223372036854775807,18446744073709551615,0,-2147483648,-1,10,9999999999]"
        )
    }

    @Test func `writes powers of ten and their neighbours in full`() throws {
        var power: UInt64 = 1
        for _ in 0..<20 {
            for value in [power - 1, power, power + 1] {
                #expect(self.text { writer in writer.array { $0.element(value) } } == "[\(value)]")
            }
            power = power.multipliedReportingOverflow(by: 10).partialValue
        }
    }

    @Test func `writes doubles so that they read back the same`() throws {
        var generator = SeededGenerator(printingFor: #function)
        var values: [Double] = [
            0, -0.0, 1, -1, 0.1, 1e-5, 1e15, 1e16, 1e300, .leastNonzeroMagnitude, .leastNormalMagnitude,
            .greatestFiniteMagnitude,
            9_007_199_254_740_991, 9_007_199_254_740_992, -9_007_199_254_740_994, 123_456.789,
        ]
        values += (0..<2_000).map { _ in Double(bitPattern: generator.next()) }.filter(\.isFinite)
        for value in values {
            var writer = JSONWriter()
            writer.array { $0.element(value) }
            let text = String(decoding: writer.bytes.dropFirst().dropLast(), as: UTF8.self)
            #expect(try StrictJSONReader.read(writer.bytes) == .array([.number(text)]))
            #expect(Double(text)?.bitPattern == value.bitPattern)
        }
    }

    @Test(arguments: [Double.nan, .signalingNaN, .infinity, -.infinity])
    func `writes null for what JSON has no number for`(_ value: Double) {
        #expect(self.text { writer in writer.object { $0.member("a", value) } } == #"{"a":null}"#)
    }

    @Test func `writes durations in milliseconds with three decimals`() {
        let text = self.text { writer in
            writer.object { writer in
                writer.memberMilliseconds("a", nanoseconds: 0)
                writer.memberMilliseconds("b", nanoseconds: 137_499)
                writer.memberMilliseconds("c", nanoseconds: 137_500)
                writer.memberMilliseconds("d", nanoseconds: 1_250_000_000)
            }
        }
        #expect(text == #"{"a":0.000,"b":0.137,"c":0.138,"d":1250.000}"#)
    }

    @Test func `escapes each character that ends a line, a string or a terminal's patience`() {
        let text = self.text { writer in
            writer.array {
                $0.element(
                    "\" \\ / \r\n\t\u{8}\u{C}\u{0}\u{1B}\u{1F}\u{7F}\u{80}\u{9F}\u{2028}\u{2029}\u{FEFF}"
                )
            }
        }
        #expect(
            text
                == #"["\" \\ / \r\n\t\b\f\u0000\u001b\u001f\u007f\u0080\u009f\u2028\u2029\ufeff"]"#
        )
    }

    @Test func `leaves all other characters as they are`() {
        let plain = "a b~\u{A0}ÀéŁ€\u{2027}\u{202A}\u{20A8}漢\u{FEFE}\u{FFFD}🙂\u{10FFFF}"
        #expect(self.text { writer in writer.array { $0.element(plain) } } == "[\"\(plain)\"]")
    }

    @Test func `finds a character to escape wherever it stands among plain ones`() throws {
        for length in 0...40 {
            for position in 0..<length {
                for byte in [UInt8(0x00), 0x1F, 0x22, 0x5C, 0x7F] {
                    // 0x21, 0x23, 0x5B, 0x5D and 0x7E are the neighbours that need no escape.
                    for filler in [UInt8(0x20), 0x21, 0x23, 0x5B, 0x5D, 0x7E] {
                        var bytes = [UInt8](repeating: filler, count: length)
                        bytes[position] = byte
                        var writer = JSONWriter()
                        writer.array { $0.elementUTF8(bytes) }
                        #expect(try StrictJSONReader.read(writer.bytes) == .array([.string(bytes)]))
                        #expect(writer.bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
                    }
                }
            }
        }
    }

    @Test func `writes hostile text that two other readers read back byte for byte`() throws {
        var generator = SeededGenerator(printingFor: #function)
        for _ in 0..<3_000 {
            let value = HostileText.valid(using: &generator)
            let string = String(decoding: value, as: UTF8.self)
            var writer = JSONWriter()
            writer.object { writer in
                writer.member("s", string)
                writer.memberUTF8("u", value)
                writer.memberUTF8("v", value.span)
                writer.member("b", value)
                writer.member(name: "n" + string, 1)
            }
            let document = try StrictJSONReader.read(writer.bytes)
            for name in ["s", "u", "v", "b"] {
                #expect(document[name] == .string(value))
            }
            #expect(document.names.last?.utf8.elementsEqual(("n" + string).utf8) == true)
            self.expectOneHarmlessLine(writer.bytes)

            let object = try JSONSerialization.jsonObject(with: Data(writer.bytes)) as? [String: Any]
            #expect((object?["s"] as? String)?.utf8.elementsEqual(value) == true)
        }
    }

    @Test func `repairs what is not UTF-8 with the replacement character`() throws {
        var generator = SeededGenerator(printingFor: #function)
        for _ in 0..<3_000 {
            let bytes = HostileText.bytes(using: &generator)
            var writer = JSONWriter()
            writer.object { $0.member("b", bytes) }
            let document = try StrictJSONReader.read(writer.bytes)
            #expect(document["b"] == .text(String(decoding: bytes, as: UTF8.self)))
            self.expectOneHarmlessLine(writer.bytes)
        }
        #expect(
            self.text { writer in writer.array { $0.element([0x61, 0xFF, 0x62] as [UInt8]) } }
                == "[\"a\u{FFFD}b\"]"
        )
    }

    @Test func `stays within its memory when it is handed bytes that are not UTF-8 as if they were`() {
        var generator = SeededGenerator(printingFor: #function)
        for _ in 0..<3_000 {
            let bytes = HostileText.bytes(using: &generator)
            var writer = JSONWriter()
            writer.object { $0.memberUTF8("b", bytes) }
            #expect(!writer.bytes.contains { $0 < 0x20 || $0 == 0x7F })
        }
    }

    @Test func `writes a text that is larger than what was reserved`() throws {
        let text = String(repeating: "0123456789é\n", count: 6_000)
        var writer = JSONWriter(reservingBytes: 0)
        writer.object { $0.member("a", text) }
        #expect(try StrictJSONReader.read(writer.bytes)["a"]?.text == text)
    }

    /// No byte and no character that ends a line or speaks to a terminal.
    private func expectOneHarmlessLine(_ bytes: [UInt8]) {
        let harmful = String(decoding: bytes, as: UTF8.self).unicodeScalars.contains { scalar in
            scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
                || (0x2028...0x2029).contains(scalar.value)
        }
        #expect(!harmful)
    }
}
