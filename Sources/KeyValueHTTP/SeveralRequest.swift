public import HTTP1
public import HTTPServing
import JSON
import NIOCore
import NIOHTTP1

/// A request for several keys at once: `{"keys":["a",{"key_b64":"AAE="}]}`.
public struct SeveralRequest: Sendable, Equatable {
    public static let maximumCount = 128
    public static let maximumBodyBytes = 1 << 20

    /// 1 to ``maximumCount`` keys; the same one may be there twice.
    public private(set) var keys: [[UInt8]] = []

    /// - Throws: 400 `not_json`, `bad_json`, `key_missing`, `key_empty`, `key_too_large`; 403 `forbidden`; 415 `unsupported_media_type`.
    public init(of request: HTTPRequest, limits: KeyValueLimits) throws(Problem) {
        try JSONBody.check(request, applied: nil)
        let body = request.body
        try self.init(body.readableBytesUInt8Span, limits: limits)
        for key in self.keys { try request.checkAccess(to: key, applied: nil) }
    }

    init(_ body: Span<UInt8>, limits: KeyValueLimits) throws(Problem) {
        var keys: [[UInt8]] = []
        let object = try BodyObject.read(body, names: ["keys"], applied: nil) { _, token, tokenizer throws(Problem) in
            guard case .beginArray = token else { return false }
            while try BodyObject.reading(nil, { () throws(JSONSyntaxError) in try tokenizer.nextElement() }) {
                guard keys.count < Self.maximumCount else {
                    throw Problem(
                        .badRequest, code: "bad_json", detail: "The JSON has more than \(Self.maximumCount) keys.")
                }
                keys.append(try Self.key(&tokenizer, "keys[\(keys.count)]", limits))
            }
            return true
        }
        if keys.isEmpty { throw object.bad("has no keys", code: "key_missing") }
        self.keys = keys
    }

    private static func key(
        _ tokenizer: inout JSONTokenizer, _ place: String, _ limits: KeyValueLimits
    ) throws(Problem) -> [UInt8] {
        switch try BodyObject.reading(nil, { () throws(JSONSyntaxError) in try tokenizer.value() }) {
        case .scalar(.string(let key)):
            try limits.check(keyBytes: key.count, applied: nil)
            return key
        case .beginObject:
            let names = ["key", "key_b64"]
            return try BodyObject(&tokenizer, place: place, names: names, applied: nil).key(limits)
        default:
            throw Problem(
                .badRequest, code: "bad_json",
                detail: #"In the body, \#(place) is neither a string nor an object with key or key_b64."#)
        }
    }
}

extension KeyValueLimits {
    /// Bytes of the largest answer to ``SeveralRequest``, or to a transaction of gets: each byte may be an escape of six.
    public var maxSeveralBytes: Int {
        SeveralRequest.maximumCount * (6 * (self.maxKeyBytes + self.maxValueBytes) + 256)
    }
}
