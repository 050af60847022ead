import SystemSupport
import Testing

@Suite("Text for a terminal", .timeLimit(.minutes(1)))
struct TerminalTextTests {
    @Test(arguments: [
        ("", ""), ("plain, ü and 漢\n\tnext", "plain, ü and 漢\n\tnext"), ("\u{1B}[2J", #"\x1B[2J"#),
        ("a\rb\r\nc", #"a\x0Db\x0D"# + "\nc"),
        ("\u{0}\u{7}\u{7F}\u{85}\u{9B}", #"\x00\x07\x7F\x85\x9B"#),
    ])
    func `shows control characters other than the newline and the tab`(text: String, shown: String) {
        #expect(text.withoutControlCharacters == shown)
    }
}
