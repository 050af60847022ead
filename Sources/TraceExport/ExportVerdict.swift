import HTTPClient
import JSON
import SystemSupport

/// The result of one attempt to send spans to the collector.
enum ExportVerdict: Equatable {
    /// The collector accepted them, except `rejected` spans, for the given reason.
    case taken(rejected: Int, reason: String)
    /// It will never accept them.
    case refused(reason: String)
    /// It may accept them later.
    case tryAgain(reason: String, afterSeconds: Int?)

    /// The verdict for an answer by OTLP's rules: 429, 502, 503 and 504 are retried, no other status is.
    init(_ answer: ReceivedAnswer) {
        switch answer.status {
        case .some(200..<300):
            self = Self.taken(answer.body)
        case .some(let status) where [429, 502, 503, 504].contains(status):
            self = .tryAgain(reason: "status \(status)", afterSeconds: answer.retryAfterSeconds)
        case .some(let status):
            self = .refused(reason: "status \(status)")
        case nil:
            self = .tryAgain(reason: "the answer is not HTTP/1", afterSeconds: nil)
        }
    }

    init(_ failure: HTTPExchange.Failure) {
        self = .tryAgain(reason: "\(failure.step): \(ErrorNumber.text(failure.code))", afterSeconds: nil)
    }

    /// `{"partialSuccess":{"rejectedSpans":"3","errorMessage":"…"}}`, or `{}`, or nothing; any other body is ignored.
    private static func taken(_ body: [UInt8]) -> ExportVerdict {
        let partial: [(name: [UInt8], value: JSONScalar)]
        do throws(JSONSyntaxError) {
            partial = try JSONTokenizer.read(body) { (tokenizer) throws(JSONSyntaxError) in
                var partial: [(name: [UInt8], value: JSONScalar)] = []
                try tokenizer.beginObject()
                while let name = try tokenizer.nextMemberName() {
                    if tokenizer.isEqual(name, "partialSuccess") {
                        partial = try self.members(&tokenizer)
                    } else {
                        try tokenizer.skip(try tokenizer.value())
                    }
                }
                return partial
            }
        } catch {
            return .taken(rejected: 0, reason: "")
        }
        var rejected = 0
        var reason = ""
        for (name, value) in partial {
            switch value {
            // 64-bit integers are strings in this encoding, but some collectors send numbers.
            case .string(let digits) where name.elementsEqual("rejectedSpans".utf8):
                rejected = Int(String(decoding: digits, as: UTF8.self)) ?? 0
            case .number(let digits) where name.elementsEqual("rejectedSpans".utf8): rejected = Int(digits) ?? 0
            case .string(let text) where name.elementsEqual("errorMessage".utf8):
                reason = String(decoding: text, as: UTF8.self).shownPart
            default: break
            }
        }
        return .taken(rejected: max(0, rejected), reason: reason)
    }

    private static func members(
        _ tokenizer: inout JSONTokenizer
    ) throws(JSONSyntaxError) -> [(name: [UInt8], value: JSONScalar)] {
        var members: [(name: [UInt8], value: JSONScalar)] = []
        try tokenizer.beginObject()
        while let name = try tokenizer.nextMemberName() {
            let text = tokenizer.bytes(of: name)
            members.append((text, try tokenizer.scalar()))
        }
        return members
    }
}
