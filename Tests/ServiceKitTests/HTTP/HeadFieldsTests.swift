import TestSupport
import Testing

@testable import HTTP1
@testable import HTTPServing

@Suite(.timeLimit(.minutes(1)))
struct HeadFieldsTests {
    /// The fields of lines that follow other bytes, as in a head.
    private func fields(_ lines: [UInt8]) -> HeadFields {
        let begin = Array("GET / HTTP/1.1\r\n".utf8)
        let head = begin + lines + Array("\r\n".utf8)
        return HeadFields(head.span, lines: begin.count..<begin.count + lines.count)
    }

    private func fields(_ text: String) -> HeadFields { self.fields(Array(text.utf8)) }

    @Test func `a host consists of the characters of names and addresses`() {
        let characters = Set(
            "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!$%&'*+-._~:[]();=".utf8)
        for byte in UInt8(0x21)...UInt8.max where byte != 0x7F {
            let fields = self.fields(Array("Host: a".utf8) + [byte] + Array("b\r\n".utf8))
            #expect(!fields.isMalformed && fields.hostCount == 1)
            #expect(fields.isHostValid == characters.contains(byte), "byte \(byte)")
        }
        #expect(self.fields("Host:\r\n").isHostValid)
    }

    @Test func `values are given without the blanks around them, and the last of several counts`() {
        let lines = "Accept: \t text/plain \t\r\naccept:*/*\r\nContent-Type:a/b\r\nUSER-AGENT: x y\r\n"
        let fields = self.fields(lines)
        let head = Array("GET / HTTP/1.1\r\n\(lines)".utf8)
        #expect(fields.accept.count == 2 && head[fields.accept.value].elementsEqual("*/*".utf8))
        #expect(fields.contentType.count == 1 && head[fields.contentType.value].elementsEqual("a/b".utf8))
        #expect(fields.userAgent.count == 1 && head[fields.userAgent.value].elementsEqual("x y".utf8))
        #expect(!fields.hasContentEncoding && !fields.wantsTiming)
    }

    @Test(arguments: [
        "no colon\r\n", ": no name\r\n", "a b: c\r\n", "a : b\r\n", "a: b\u{1}c\r\n", "a: b\u{7F}\r\n", "é: a\r\n",
        "Accept: */*\r\nbroken\r\n",
    ])
    func `of a malformed line nothing is known, nor of the lines before it`(_ lines: String) {
        let fields = self.fields(lines)
        #expect(fields.isMalformed)
        #expect(fields.accept.count == 0)
    }

    @Test func `a tab and bytes above ASCII may be in a value`() {
        #expect(!self.fields("a: b\tc é\r\n").isMalformed)
    }

    @Test func `timing is wanted by the first field that says so`() {
        #expect(self.fields("X-Request-Timing: 1\r\nX-Request-Timing: 0\r\n").wantsTiming)
        #expect(!self.fields("X-Request-Timing: 0\r\nX-Request-Timing: 1\r\n").wantsTiming)
        #expect(!self.fields("X-Request-Timing: 11\r\n").wantsTiming)
    }
}
