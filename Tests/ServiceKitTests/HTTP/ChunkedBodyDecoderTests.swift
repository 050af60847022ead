import Testing

@testable import HTTP1

/// Chunked bodies, in whatever packets they come.
@Suite(.timeLimit(.minutes(1)))
struct ChunkedBodyDecoderTests {
    enum Result: Equatable {
        /// The data, and what stands behind the body.
        case whole(String, rest: String)
        case unfinished
        case refused
    }

    /// Feeds the bytes in the given pieces, as a connection would.
    static func decode(_ text: String, cuts: [Int]) -> Result {
        var decoder = ChunkedBodyDecoder()
        var data: [UInt8] = []
        var rest = Array(text.utf8)
        var pieces: [[UInt8]] = []
        for (begin, end) in zip([0] + cuts, cuts + [rest.count]) { pieces.append(Array(rest[begin..<end])) }
        rest = []
        for (number, whole) in pieces.enumerated() {
            var piece = whole
            while !piece.isEmpty {
                let (taken, step) = decoder.take(piece.span)
                piece.removeFirst(taken)
                switch step {
                case .more:
                    if !piece.isEmpty { return .refused }
                case .data(let count):
                    data += piece.prefix(count)
                    piece.removeFirst(count)
                    decoder.tookData(count)
                case .end:
                    let behind = piece + pieces[(number + 1)...].flatMap { $0 }
                    return .whole(String(decoding: data, as: UTF8.self), rest: String(decoding: behind, as: UTF8.self))
                case .refused: return .refused
                }
            }
        }
        return .unfinished
    }

    static let bodies: [(text: String, data: String)] = [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\nA\r\n, chunked!\r\n000\r\n\r\n", "hello, chunked!"),
        ("a\r\n0\r\n\r\n\r\n\r\n.\r\n0\r\n\r\n", "0\r\n\r\n\r\n\r\n."),
        ("0000000000000000000000001\r\nx\r\n0\r\n\r\n", "x"),
        ("1;a=b;c=\"d\"\r\nx\r\n0;end\r\n\r\n", "x"),
        ("1\r\nx\r\n0\r\nA: b\r\nEmpty:\r\nC:\td \r\n\r\n", "x"),
    ]

    @Test func `a body is the same wherever it is cut`() {
        for (text, data) in Self.bodies {
            let count = text.utf8.count
            for first in 0...count {
                for second in first...count {
                    #expect(
                        Self.decode(text + "GET", cuts: [first, second]) == .whole(data, rest: "GET"),
                        "\(text.debugDescription) cut at \(first) and \(second)")
                }
            }
            #expect(Self.decode(text, cuts: Array(0..<count)) == .whole(data, rest: ""))
        }
    }

    @Test func `a body that is not whole never ends`() {
        for (text, _) in Self.bodies {
            for count in 0..<text.utf8.count {
                let part = String(decoding: Array(text.utf8.prefix(count)), as: UTF8.self)
                #expect(Self.decode(part, cuts: []) == .unfinished, "\(part.debugDescription)")
            }
        }
    }

    @Test(arguments: [
        "\r\n", "x", "-1", "+1", "0x1\r\n", " 1", "1 \r\n", "1\n", "1\rx", "1\u{0}", ";a", "1;a\nb", "1;a\rb",
        "1;a\u{7F}",
        "1\r\nxy", "1\r\nx\n", "1\r\nx\rx", "1\r\n\r\n\r\r\n", "FFFFFFFFFFFFFFFF\r\n", "0\r\n\n", "0\r\n b", "0\r\n: b",
        "0\r\nA b: c", "0\r\nA\r\n", "0\r\nA: b\n", "0\r\nA: b\r\n c", "0\r\nA: \u{1}", "0\r\n\rx",
    ])
    func `what is not of the form is refused, wherever it is cut`(text: String) {
        for cut in 0...text.utf8.count {
            #expect(Self.decode(text, cuts: [cut]) == .refused, "\(text.debugDescription) cut at \(cut)")
        }
    }
}
