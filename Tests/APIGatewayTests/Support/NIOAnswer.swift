import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import APIGateway

/// What SwiftNIO's decoder makes of the bytes of an answer, with the rules of the gateway for its fields: what the
/// gateway's own parser is compared with.
enum NIOAnswer {
    private static let limits = {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 8192
        limits.maxHeaderListSize = 16384
        limits.maxHeaderFieldCount = 64
        return limits
    }()

    static func verdict(_ bytes: [UInt8]) -> AnswerVerdict {
        let channel = EmbeddedChannel()
        let decoder = HTTPResponseDecoder(limitConfiguration: self.limits)
        defer { _ = try? channel.finish() }
        var fails = false
        do {
            try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(decoder, maximumBufferSize: 65536))
            decoder.write(data: .head(HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")))
            try channel.writeInbound(ByteBuffer(bytes: bytes))
        } catch {
            fails = true
        }
        var fields: AnswerFields?
        var limit = 0
        while let part = try? channel.readInbound(as: HTTPClientResponsePart.self) {
            switch part {
            case .head(let head):
                guard fields == nil else { return .refused }
                fields = Self.fields(of: head)
                guard fields != nil else { return .refused }
                limit = UpstreamConnectionStateMachine.maxBodyBytes
            case .body(let bytes):
                fields?.body += Array(bytes.readableBytesView)
                guard fields.map({ $0.body.count <= limit }) == true else { return .refused }
            case .end:
                guard let fields else { return .refused }
                return .complete(fields)
            }
        }
        return fails ? .refused : .incomplete
    }

    /// Nil for a head that the gateway refuses.
    private static func fields(of head: HTTPResponseHead) -> AnswerFields? {
        var fields = AnswerFields()
        fields.status = Int(head.status.code)
        fields.isKeepAlive = head.isKeepAlive
        var (hasMediaType, isDelimited) = (false, false)
        for (name, text) in head.headers {
            let value = String(text.trimmingPrefix { $0 == " " || $0 == "\t" })
                .trimmingSuffix { $0 == " " || $0 == "\t" }
            switch name.lowercased() {
            case "content-type":
                guard !hasMediaType else { return nil }
                hasMediaType = true
                switch value.utf8.prefix(while: { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }) {
                case let name where name.elementsEqual("application/json".utf8): fields.mediaType = .json
                case let name where name.elementsEqual("application/problem+json".utf8): fields.mediaType = .problem
                case let name where name.elementsEqual("application/octet-stream".utf8): fields.mediaType = .bytes
                default: break
                }
            case "etag":
                let digits = value.dropFirst().dropLast()
                guard fields.revision == nil, let revision = UInt64(digits), value == "\"\(revision)\"" else {
                    return nil
                }
                fields.revision = revision
            case "content-length":
                isDelimited = true
                guard let length = Int(value), length <= UpstreamConnectionStateMachine.maxBodyBytes else { return nil }
            case "transfer-encoding": isDelimited = true
            case "x-kv-result": fields.isMiss = value == "miss"
            case "retry-after":
                if let seconds = Int(value), (0...86_400).contains(seconds), !value.hasPrefix("+"),
                    !value.hasPrefix("-")
                {
                    fields.retryAfterSeconds = seconds
                }
            case "server-timing": fields.serverTiming = fields.serverTiming.map { "\($0), \(value)" } ?? value
            case "x-request-id": guard value == "request-1" else { return nil }
            default: break
            }
        }
        return isDelimited ? fields : nil
    }
}

extension String {
    fileprivate func trimmingSuffix(while isBlank: (Character) -> Bool) -> String {
        var text = self[...]
        while let last = text.last, isBlank(last) { text.removeLast() }
        return String(text)
    }
}
