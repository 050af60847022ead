package import HTTP1
package import HTTPServing
import JSON
package import NIOCore
import NIOHTTP1

/// A request to set a key: `{"key":…,"value":…}` (or `key_b64`, `value_b64`), or `?key=…` with the value as the body.
package struct SetRequest {
    /// 1 to `maxKeyBytes` bytes.
    package let key: [UInt8]
    /// 0 to `maxValueBytes` bytes. For a raw request it is the body itself, not a copy.
    package let value: ByteBuffer

    /// Reads the request.
    /// - Throws: 400 `not_json` (the body is not one flat JSON object), `bad_json` (it is, but with wrong members),
    ///   `key_missing`, `key_empty`, `key_too_large`, `value_missing`, errors of ``QueryParameters``; 413
    ///   `value_too_large`; 415 `unsupported_media_type`. Each has `applied` no.
    package init(_ request: HTTPRequest, limits: KeyValueLimits) throws(Problem) {
        switch try SetBodyForm(of: request) {
        case .raw:
            self.key = try KeyParameter.key(of: request, limits: limits, applied: .no)
            self.value = request.body
        case .json:
            guard request.query == nil else {
                throw Self.badRequest(
                    "unknown_parameter",
                    "A JSON request has its key in the body and must have no query; remove it, or send the value as "
                        + "application/octet-stream."
                )
            }
            let object: FlatJSONObject
            do throws(JSONSyntaxError) {
                object = try FlatJSONObject(parsing: Array(request.body.readableBytesView), maxMembers: 4)
            } catch {
                throw Self.badRequest(
                    "not_json",
                    "The body is not the expected JSON: \(error.reason) at byte \(error.offset)."
                )
            }
            for name in object.names where !["key", "key_b64", "value", "value_b64"].contains(name) {
                throw Self.badRequest(
                    "bad_json",
                    "The JSON has an unknown member; allowed are key or key_b64, and value or value_b64."
                )
            }
            guard let key = try Self.bytes("key", of: object) else {
                throw Self.badRequest("key_missing", "The JSON has neither key nor key_b64.")
            }
            guard let value = try Self.bytes("value", of: object) else {
                throw Self.badRequest("value_missing", "The JSON has neither value nor value_b64.")
            }
            try limits.check(key: key, applied: .no)
            self.key = key
            self.value = ByteBuffer(bytes: value)
        }
        try limits.check(valueBytes: self.value.readableBytes)
    }

    /// 413 `value_too_large` if the unread body of the request is a value above the limit; nil for any other request,
    /// also for JSON, whose length does not determine the length of the value.
    package static func refusal(ofBody length: Int, _ headers: HeaderFields, limits: KeyValueLimits) -> Problem? {
        let types = headers.elements(of: "content-type")
        guard types.count == 1, MediaType(types[0][...]).isNamed("application/octet-stream") else { return nil }
        do throws(Problem) {
            try limits.check(valueBytes: length)
            return nil
        } catch {
            return error
        }
    }

    /// The bytes of one field, given as text or, as `<name>_b64`, in Base64; nil if it is missing.
    private static func bytes(_ name: String, of object: FlatJSONObject) throws(Problem) -> [UInt8]? {
        let encodedName = name + "_b64"
        switch (object[name], object[encodedName]) {
        case (nil, nil):
            return nil
        case (.some, .some):
            throw self.badRequest("bad_json", "The JSON has both \(name) and \(encodedName); send one.")
        case (.string(let text)?, nil):
            return text
        case (nil, .string(let text)?):
            guard let bytes = Base64.decode(text) else {
                throw self.badRequest("bad_json", "\(encodedName) is not Base64 (standard alphabet, with padding).")
            }
            return bytes
        case (.some, nil):
            throw self.badRequest("bad_json", "\(name) is not a string.")
        case (nil, .some):
            throw self.badRequest("bad_json", "\(encodedName) is not a string.")
        }
    }

    private static func badRequest(_ code: String, _ detail: String) -> Problem {
        Problem(.badRequest, code: code, detail: detail, applied: .no)
    }
}
