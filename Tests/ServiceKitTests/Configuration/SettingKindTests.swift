import Testing

@testable import ServiceSettings

@Suite("Kinds of settings", .timeLimit(.minutes(1)))
struct SettingKindTests {
    enum Colour: String, CaseIterable {
        case red, green
    }

    @Test func `durations need a unit and lie within bounds`() {
        let kind = SettingKind.duration(in: .milliseconds(250) ... .seconds(3600))
        #expect(kind.parse("250ms") == .milliseconds(250))
        #expect(kind.parse("10s") == .seconds(10))
        #expect(kind.parse("1m") == .seconds(60))
        #expect(kind.parse("1h") == .seconds(3600))
        for text in [
            "", "10", "s", "1.5s", "-1s", "10 s", "10S", "249ms", "61m", "99999999999999999999s",
            "9223372036854775807h",
        ] {
            #expect(kind.parse(text) == nil, "\(text)")
        }
        #expect(kind.expectation.hasSuffix("from 250ms to 1h"))
    }

    @Test func `byte sizes take binary units and plain numbers`() {
        let kind = SettingKind.byteSize(in: 1...(1 << 40))
        #expect(kind.parse("67108864") == 64 << 20)
        #expect(kind.parse("64MiB") == 64 << 20)
        #expect(kind.parse("4KiB") == 4096)
        #expect(kind.parse("1GiB") == 1 << 30)
        for text in ["", "0", "64MB", "64M", "64mib", "-1", "1.5GiB", "9223372036854775807KiB", "2000000000000"] {
            #expect(kind.parse(text) == nil, "\(text)")
        }
    }

    @Test func `whole numbers and ratios keep their bounds`() {
        let number = SettingKind.integer(in: 1...64)
        #expect(number.parse("1") == 1)
        #expect(number.parse("64") == 64)
        for text in ["", "0", "65", "1.0", "1e1", "0x10", " 1"] { #expect(number.parse(text) == nil, "\(text)") }

        let ratio = SettingKind.ratio(in: 0...1)
        #expect(ratio.parse("0.5") == 0.5)
        #expect(ratio.parse("1") == 1)
        for text in ["", "1.1", "-0.1", "nan", "inf", "0x1p-1", "half"] { #expect(ratio.parse(text) == nil, "\(text)") }
    }

    @Test func `a word must be one of the type's`() {
        let kind = SettingKind<Colour>.word(placeholder: "colour")
        #expect(kind.parse("green") == .green)
        #expect(kind.parse("Green") == nil)
        #expect(kind.expectation == "one of red, green")
    }
}
