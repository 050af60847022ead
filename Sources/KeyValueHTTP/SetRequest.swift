public import HTTP1
public import HTTPServing
import JSON
import NIOCore
import NIOHTTP1

/// A request to set a key: `{"key":…,"value":…}` (or `key_b64`, `value_b64`), or `?key=…` with the value as the body. Both
/// take a condition in the header, the former also as `if_revision` or `if_absent`; and an expiry time, in the JSON or the
/// query.
@safe public struct SetRequest {
    /// 1 to `maxKeyBytes` bytes.
    public let key: UnsafeRawBufferPointer
    /// 0 to `maxValueBytes` bytes.
    public let value: UnsafeRawBufferPointer
    /// Whether the value is the body itself.
    public let isRaw: Bool
    public let precondition: Precondition
    public let expiry: RequestedExpiry

    /// Calls `body` with what the request sets; key and value are valid only during the call.
    /// - Throws: 400 `not_json` (the body is not one flat JSON object), `bad_json` (it is, but with wrong members),
    ///   `key_missing`, `key_empty`, `key_too_large`, `value_missing`, `bad_precondition`, `bad_expiry`, errors of ``QueryParameters``; 403 `forbidden`; 413
    ///   `value_too_large`; 415 `unsupported_media_type`. Each has `applied` no.
    public static func read(
        _ request: HTTPRequest, limits: KeyValueLimits, _ body: (SetRequest) throws(Problem) -> Void
    ) throws(Problem) {
        let received = request.body
        let bytes = received.readableBytesUInt8Span
        let form = try SetBodyForm(of: request)
        let precondition = try Precondition(ofWrite: request)
        switch form {
        case .raw:
            try unsafe KeyParameter.withKey(
                ofSet: request, limits: limits
            ) { (key, expiry) throws(Problem) in
                try limits.check(valueBytes: bytes.count)
                try unsafe bytes.withUnsafeBytes { (value) throws(Problem) in
                    try unsafe body(
                        SetRequest(
                            key: key, value: value, isRaw: true, precondition: precondition, expiry: expiry))
                }
            }
        case .json:
            guard !request.hasQuery else {
                throw Self.badRequest(
                    "unknown_parameter",
                    "A JSON request has its key in the body and must have no query; remove it, or send the value as "
                        + "application/octet-stream."
                )
            }
            try unsafe bytes.withUnsafeBufferPointer { (bytes) throws(Problem) in
                try unsafe SetDocument.read(bytes) { (key, value, inBody, expiry) throws(Problem) in
                    guard precondition == .none || inBody == .none else {
                        throw Precondition.bad(
                            "A write has at most one condition; send it in a header field or in the JSON, not in both.")
                    }
                    try limits.check(keyBytes: key.count, applied: .no)
                    try limits.check(valueBytes: value.count)
                    try unsafe request.checkAccess(to: key, applied: .no)
                    try unsafe body(
                        SetRequest(
                            key: key, value: value, isRaw: false,
                            precondition: inBody == .none ? precondition : inBody, expiry: expiry))
                }
            }
        }
    }

    /// 413 `value_too_large` if the unread body of the request is a value above the limit; nil for any other request,
    /// also for JSON, whose length does not determine the length of the value.
    public static func refusal(ofBody length: Int, _ headers: HeaderFields, limits: KeyValueLimits) -> Problem? {
        let types = headers.elements(of: "content-type")
        guard types.count == 1, MediaType(types[0][...]).isNamed("application/octet-stream") else { return nil }
        do throws(Problem) {
            try limits.check(valueBytes: length)
            return nil
        } catch {
            return error
        }
    }

    static func badRequest(_ code: String, _ detail: String) -> Problem {
        Problem(.badRequest, code: code, detail: detail, applied: .no)
    }
}
