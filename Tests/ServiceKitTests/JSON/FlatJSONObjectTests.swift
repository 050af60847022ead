import NIOCore
import Testing

@testable import JSON
@testable import RequestTracing

@Suite(.timeLimit(.minutes(1)))
struct FlatJSONObjectTests {
    static func string(_ text: String) throws -> [UInt8]? {
        guard case .string(let bytes)? = try FlatJSONObject(parsing: Array(text.utf8))["k"] else { return nil }
        return bytes
    }

    @Test func `members are read in order with every kind of value`() throws {
        let object = try FlatJSONObject(
            parsing: Array(
                " {\"a\" : \"x\",\t\"b\":-1.5e+3 ,\r\n\"c\":true,\"d\":false,\"e\":null,\"\":0} ".utf8)
        )
        #expect(object.names == ["a", "b", "c", "d", "e", ""])
        #expect(object["a"] == .string(Array("x".utf8)))
        #expect(object["b"] == .number("-1.5e+3"))
        #expect(object["c"] == .bool(true))
        #expect(object["d"] == .bool(false))
        #expect(object["e"] == .null)
        #expect(object[""] == .number("0"))
        #expect(object["f"] == nil)
        #expect(try FlatJSONObject(parsing: Array("{}".utf8)).names == [])
    }

    @Test(arguments: [
        (#"{"k":"a\"\\\/\b\f\n\r\t"}"#, "a\"\\/\u{8}\u{C}\n\r\t"),
        (#"{"k":"\u0041\u00e9\u20AC"}"#, "Aé€"),
        (#"{"k":"\ud83d\ude00!"}"#, "😀!"),
        (#"{"k":"\u0000\u001f\u007f"}"#, "\0\u{1F}\u{7F}"),
        (#"{"k":"é😀 "}"#, "é😀 "),
        (#"{"k":""}"#, ""),
    ])
    func `strings are decoded to their bytes`(text: String, value: String) throws {
        #expect(try Self.string(text) == Array(value.utf8))
    }

    @Test func `a string ends where it ends, whatever its length and its bytes are`() throws {
        for length in 0..<40 {
            for scalar in (0..<0x180).compactMap(Unicode.Scalar.init(_:)) {
                let plain =
                    String(repeating: "x", count: length) + String(scalar) + String(repeating: "y", count: 40 - length)
                let bytes = Array(#"{"k":"\#(plain)"}"#.utf8)
                switch scalar {
                case "\"", "\\": #expect(throws: JSONSyntaxError.self) { try FlatJSONObject(parsing: bytes) }
                case "\u{0}"..."\u{1F}":
                    #expect(throws: JSONSyntaxError(.controlCharacter, offset: 6 + length)) {
                        try FlatJSONObject(parsing: bytes)
                    }
                default: #expect(try Self.string(#"{"k":"\#(plain)"}"#) == Array(plain.utf8))
                }
            }
        }
    }

    @Test func `names are compared as bytes, so two spellings of one character are two names`() throws {
        let object = try FlatJSONObject(parsing: Array("{\"\u{E9}\":1,\"e\u{301}\":2}".utf8))
        #expect(object["\u{E9}"] == .number("1"))
        #expect(object["e\u{301}"] == .number("2"))
    }

    @Test(arguments: [
        ("\u{FEFF}{}", JSONSyntaxError.Reason.byteOrderMark, 0),
        ("", .unexpectedEnd, 0), ("  ", .unexpectedEnd, 2), ("[]", .notAnObject, 0), ("\"k\"", .notAnObject, 0),
        ("{", .unexpectedEnd, 1), ("{\"k\"", .unexpectedEnd, 4), ("{\"k\":", .unexpectedEnd, 5),
        ("{\"k\":1", .unexpectedEnd, 6), ("{\"k", .unexpectedEnd, 3), ("{\"k\":\"", .unexpectedEnd, 6),
        ("{k:1}", .nameExpected, 1), ("{'k':1}", .nameExpected, 1), ("{1:1}", .nameExpected, 1),
        ("{\"k\":1,}", .nameExpected, 7), ("{,}", .nameExpected, 1), ("{\"k\" 1}", .colonExpected, 5),
        ("{\"k\":1 \"l\":2}", .commaOrEndExpected, 7), ("{\"k\":1;}", .commaOrEndExpected, 6),
        ("{\"k\":}", .valueExpected, 5), ("{\"k\":True}", .valueExpected, 5), ("{\"k\":nul}", .valueExpected, 5),
        ("{\"k\":NaN}", .valueExpected, 5), ("{\"k\":+1}", .valueExpected, 5), ("{\"k\":.5}", .valueExpected, 5),
        ("{\"k\":{}}", .nestedValue, 5), ("{\"k\":[]}", .nestedValue, 5),
        ("{\"k\":01}", .badNumber, 5), ("{\"k\":1.}", .badNumber, 5), ("{\"k\":-}", .badNumber, 5),
        ("{\"k\":1e}", .badNumber, 5), ("{\"k\":1e+}", .badNumber, 5), ("{\"k\":0x1}", .commaOrEndExpected, 6),
        ("{\"k\":\"\\x\"}", .badEscape, 6), ("{\"k\":\"\\u12g4\"}", .badEscape, 6), ("{\"k\":\"\\", .unexpectedEnd, 7),
        ("{\"k\":\"\\u12", .unexpectedEnd, 10),
        ("{\"k\":\"\\ud83d\"}", .loneSurrogate, 6), ("{\"k\":\"\\ude00\"}", .loneSurrogate, 6),
        ("{\"k\":\"\\ud83dx\"}", .loneSurrogate, 6), ("{\"k\":\"\\ud83d\\n\"}", .loneSurrogate, 6),
        ("{\"k\":\"\\ud83d\\ud83d\"}", .loneSurrogate, 6),
        ("{\"k\":\"a\nb\"}", .controlCharacter, 7), ("{\"k\":\"a\\n\tb\"}", .controlCharacter, 9),
        ("{\"k\":1,\"k\":1}", .duplicateName("k"), 7), ("{\"k\":1,\"\\u006b\":1}", .duplicateName("k"), 7),
        ("{} {}", .trailingData, 3), ("{}x", .trailingData, 2), ("{}\0", .trailingData, 2),
    ])
    func `anything else is refused where it shows`(text: String, reason: JSONSyntaxError.Reason, offset: Int) {
        #expect(throws: JSONSyntaxError(reason, offset: offset)) {
            try FlatJSONObject(parsing: Array(text.utf8))
        }
    }

    @Test(arguments: [
        [0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x80], [0xE2, 0x28, 0xA1],
    ])
    func `bytes that are not UTF-8 are refused in names and values`(bytes: [UInt8]) {
        let value = Array("{\"k\":\"".utf8) + bytes + Array("\"}".utf8)
        #expect(throws: JSONSyntaxError(.invalidUTF8, offset: 5)) { try FlatJSONObject(parsing: value) }
        let name = Array("{\"".utf8) + bytes + Array("\":1}".utf8)
        #expect(throws: JSONSyntaxError(.invalidUTF8, offset: 1)) { try FlatJSONObject(parsing: name) }
        let escaped = Array("{\"k\":\"\\n".utf8) + bytes + Array("\"}".utf8)
        #expect(throws: JSONSyntaxError(.invalidUTF8, offset: 5)) { try FlatJSONObject(parsing: escaped) }
    }

    @Test func `a byte that is not UTF-8 is refused at every place of a string`() throws {
        for length in 0..<40 {
            for place in 0...length {
                for escape in ["", "\\n"] {
                    let before = String(repeating: "x", count: place)
                    let after = String(repeating: "y", count: length - place)
                    let text =
                        Array("{\"k\":\"\(before)".utf8) + [0x80 | UInt8(place)]
                        + Array("\(after)\(escape)\",\"l\":1}".utf8)
                    #expect(throws: JSONSyntaxError(.invalidUTF8, offset: 5)) { try FlatJSONObject(parsing: text) }
                }
            }
        }
    }

    @Test func `the number of members is bounded`() throws {
        let text = "{" + (0..<4).map { "\"\($0)\":0" }.joined(separator: ",") + "}"
        #expect(try FlatJSONObject(parsing: Array(text.utf8), maxMembers: 4).names.count == 4)
        #expect(throws: JSONSyntaxError(.tooManyMembers(limit: 3), offset: 19)) {
            try FlatJSONObject(parsing: Array(text.utf8), maxMembers: 3)
        }
    }

    @Test func `arrays and objects are refused, or passed over where that is wanted`() throws {
        let text = Array(#"{"a":[1,{"b":"]}\""},[]], "c" : {"d":{}} ,"e":"f"}"#.utf8)
        #expect(throws: JSONSyntaxError(.nestedValue, offset: 5)) { try FlatJSONObject(parsing: text) }
        let object = try FlatJSONObject(parsing: text, skipsNestedValues: true)
        #expect(object.names == ["e"])
        #expect(object["e"] == .string(Array("f".utf8)))
        for broken in [
            #"{"a":["#, #"{"a":[{]"#, #"{"a":["x]}"#, #"{"a":[]"#, #"{"a":[]]}"#, #"{"a":[1 2]}"#, #"{"a":{"b"}}"#,
        ] {
            #expect(throws: JSONSyntaxError.self) {
                try FlatJSONObject(parsing: Array(broken.utf8), skipsNestedValues: true)
            }
        }
    }

    @Test func `nesting is bounded`() {
        func text(_ depth: Int) -> [UInt8] {
            Array((#"{"a":"# + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}").utf8)
        }
        #expect(throws: Never.self) { try FlatJSONObject(parsing: text(63), skipsNestedValues: true) }
        #expect(throws: JSONSyntaxError(.tooDeep(limit: 64), offset: 68)) {
            try FlatJSONObject(parsing: text(100_000), skipsNestedValues: true)
        }
    }

    @Test func `random damage is refused or read, and never ends the program`() {
        let seed = UInt64.random(in: 0 ..< .max)
        print("seed \(seed)")
        var generator = RequestIdentityGenerator(seed: seed)
        let text = Array(#"{"key":"a\u00e9\ud83d\ude00","value":"x\n","n":-12.5e3,"b":true,"z":null}"#.utf8)
        var read = 0
        for _ in 0..<50_000 {
            var bytes = text
            for _ in 0...(generator.next() % 3) {
                bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
            }
            if generator.next() % 4 == 0 { bytes.removeLast(Int(generator.next() % UInt64(bytes.count))) }
            if (try? FlatJSONObject(parsing: bytes)) != nil { read += 1 }
        }
        #expect(read > 0 && read < 50_000)
    }
}
