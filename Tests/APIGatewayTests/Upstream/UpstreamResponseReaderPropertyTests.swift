import NIOCore
import TestSupport
import Testing

@testable import APIGateway

@Suite("The reader of answers, compared with SwiftNIO's", .timeLimit(.minutes(3)))
struct UpstreamResponseReaderPropertyTests {
    private typealias Machine = UpstreamConnectionStateMachine

    @Test func `reads the same from valid answers, wherever they are divided`() {
        var random = SeededGenerator()
        for _ in 0..<100 {
            let bytes = Self.answer(using: &random)
            let expected = NIOAnswer.verdict(bytes)
            guard case .complete = expected else {
                Issue.record("the generator made \(String(decoding: bytes, as: UTF8.self))")
                return
            }
            for division in 0..<bytes.count {
                guard Machine.verdict([bytes[..<division], bytes[division...]]) != expected else { continue }
                Issue.record("divided at \(division): \(String(decoding: bytes, as: UTF8.self))")
                return
            }
        }
    }

    @Test func `accepts no answer that SwiftNIO refuses or reads in another way`() {
        var random = SeededGenerator()
        var verdicts = (complete: 0, refused: 0, incomplete: 0)
        for _ in 0..<4000 {
            var bytes =
                random.chance(0.5) ? Self.answer(using: &random) : AnswerCorpus.all.randomElement(using: &random)!.bytes
            Self.mutate(&bytes, using: &random)
            let whole = Machine.verdict([bytes[...]])
            let division = Int.random(in: 0...bytes.count, using: &random)
            let divided = Machine.verdict([bytes[..<division], bytes[division...]])
            var difference = divided == whole ? nil : "divided at \(division): \(divided)"
            switch whole {
            case .complete(var fields):
                verdicts.complete += 1
                guard case .complete(let expected) = NIOAnswer.verdict(bytes) else {
                    difference = "SwiftNIO does not accept it"
                    break
                }
                // To close more connections than SwiftNIO is allowed.
                if !fields.isKeepAlive { fields.isKeepAlive = expected.isKeepAlive }
                if fields != expected { difference = "SwiftNIO reads \(expected)" }
            case .refused: verdicts.refused += 1
            case .incomplete: verdicts.incomplete += 1
            }
            guard let difference else { continue }
            Issue.record("\(difference), not \(whole): \(String(decoding: bytes, as: UTF8.self).debugDescription)")
            return
        }
        // Otherwise the mutations would show nothing.
        #expect(verdicts.complete > 100 && verdicts.refused > 100 && verdicts.incomplete > 10, "\(verdicts)")
    }

    // MARK: Answers

    /// A valid answer with any of the fields that the gateway reads, and others.
    private static func answer(using random: inout SeededGenerator) -> [UInt8] {
        let body = random.bytes(Int.random(in: 0...200, using: &random))
        var fields = [
            "Date: Mon, 01 Jan 2024 00:00:00 GMT", "X-Other: \u{E9}\t(a, b); c=\"d\"", "X-Empty:", "Vary:  a ",
        ]
        fields.append("Content-Type: \(Self.types.randomElement(using: &random)!)")
        if random.chance(0.5) {
            fields.append("ETag: \"\(random.next() >> UInt64.random(in: 0...63, using: &random))\"")
        }
        if random.chance(0.5) { fields.append("X-Request-Id: request-1") }
        if random.chance(0.2) { fields.append("X-KV-Result: \(random.chance(0.5) ? "miss" : "hit")") }
        if random.chance(0.2) { fields.append("Retry-After: \(Int.random(in: 0...100_000, using: &random))") }
        if random.chance(0.2) { fields += ["Server-Timing: a;dur=1", "Server-Timing: b;dur=2"] }
        if random.chance(0.2) { fields.append("Connection: \(random.chance(0.5) ? "close" : "keep-alive")") }
        let isChunked = random.chance(0.4)
        fields.append(isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.count)")
        fields.shuffle(using: &random)
        let status = ["200 OK", "404 Not Found", "503 ", "207 Multi Status", "500 a b  c"].randomElement(
            using: &random)!
        var bytes: [UInt8] = random.chance(0.1) ? Array("HTTP/1.1 100 Continue\r\nX: y\r\n\r\n".utf8) : []
        bytes += Array("HTTP/1.1 \(status)\r\n".utf8)
        for field in fields { bytes += Self.inAnyCase(field, using: &random) + [13, 10] }
        bytes += [13, 10]
        return bytes + (isChunked ? Self.chunks(of: body, using: &random) : body)
    }

    private static let types = [
        "application/json", "application/problem+json; charset=utf-8", "application/octet-stream", "text/plain",
        "application/json ;a=b", "APPLICATION/JSON",
    ]

    private static func inAnyCase(_ field: String, using random: inout SeededGenerator) -> [UInt8] {
        var isName = true
        return field.utf8.map { byte in
            if byte == UInt8(ascii: ":") { isName = false }
            let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            return isName && isLetter && random.chance(0.3) ? byte ^ 0x20 : byte
        }
    }

    private static func chunks(of body: [UInt8], using random: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = body[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(Int.random(in: 1...max(1, rest.count), using: &random))
            rest = rest.dropFirst(chunk.count)
            let size = String(chunk.count, radix: 16, uppercase: random.chance(0.5))
            let ends = random.chance(0.2) ? ";a=\"b c\";d" : ""
            bytes += Array("\(random.chance(0.2) ? "0" : "")\(size)\(ends)\r\n".utf8) + chunk + [13, 10]
        }
        return bytes + Array("0\r\n\(random.chance(0.3) ? "X-Sum: 1\r\nETag: x\r\n" : "")\r\n".utf8)
    }

    // MARK: Mutations

    private static let pieces: [[UInt8]] =
        [
            "\r\n", "\n", "\r", "\0", " ", "\t", ":", ";", ",", "\"", "0", "1", "-", "+", "chunked", "close",
            "keep-alive",
            "Content-Length: 3\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n",
            "ETag: \"1\"\r\n", "X-Request-Id: request-1\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.0", "\u{7F}",
        ].map { Array($0.utf8) } + [[0x80], [0xFF], [0x0B], [0x1F]]

    private static func mutate(_ bytes: inout [UInt8], using random: inout SeededGenerator) {
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let place = Int.random(in: 0...min(bytes.count, 400), using: &random)
            let end = min(bytes.count, place + Int.random(in: 1...8, using: &random))
            switch Int.random(in: 0..<5, using: &random) {
            case 0 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes.removeSubrange(place..<end)
            case 2: bytes.insert(contentsOf: Array(bytes[place..<end]), at: place)
            case 3 where random.chance(0.2): bytes.removeSubrange(place...)
            default: bytes.insert(contentsOf: Self.pieces.randomElement(using: &random)!, at: place)
            }
        }
    }
}
