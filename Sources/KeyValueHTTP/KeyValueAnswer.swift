package import HTTP1
import JSON
package import NIOCore
import NIOHTTP1

/// The answers of the key-value operations, the same from every service that has them.
package enum KeyValueAnswer {
    /// `{"status":"ok","message":…,"revision":N}` with `ETag: "N"`.
    package static func set(revision: UInt64, message: String) -> HTTPResponse {
        var document = JSONWriter(reservingBytes: 96)
        document.object { object in
            object.member("status", "ok")
            object.member("message", message)
            object.member("revision", revision)
        }
        document.newline()
        return .json(.ok, document.bytes, headers: self.entityTag(revision))
    }

    /// `{"status":"ok","message":…,"deleted":…,"revision":N}`; without a revision if nothing was written.
    /// - Parameter message: for a key that existed; for a missing key the message is that nothing was deleted.
    package static func deleted(_ deleted: Bool, revision: UInt64?, message: String) -> HTTPResponse {
        var document = JSONWriter(reservingBytes: 112)
        document.object { object in
            object.member("status", "ok")
            object.member("message", deleted ? message : "key not found, nothing deleted")
            object.member("deleted", deleted)
            if let revision { object.member("revision", revision) }
        }
        document.newline()
        return .json(.ok, document.bytes)
    }

    /// A value with `ETag: "N"`: its bytes, or `{"status":"ok","value":…,"revision":N}`, where a value that is not UTF-8
    /// is `"value_b64"` in Base64 with `"encoding":"base64"`.
    package static func value(
        _ value: ByteBuffer,
        revision: UInt64,
        as representation: ValueRepresentation
    ) -> HTTPResponse {
        let headers = self.entityTag(revision)
        switch representation {
        case .raw:
            return HTTPResponse(
                status: .ok,
                contentType: "application/octet-stream",
                headers: headers,
                body: .buffer(value)
            )
        case .json:
            var document = JSONWriter(reservingBytes: value.readableBytes + 64)
            document.object { object in
                object.member("status", "ok")
                if value.isUTF8 {
                    object.memberUTF8("value", value.readableBytesUInt8Span)
                } else {
                    object.member("value_b64", Base64.encode(Array(value.readableBytesView)))
                    object.member("encoding", "base64")
                }
                object.member("revision", revision)
            }
            document.newline()
            return .json(.ok, document.bytes, headers: headers)
        }
    }

    /// 504 `deadline_exceeded`: a write whose deadline had passed.
    package static let deadlineExceeded = Problem(
        .gatewayTimeout,
        code: "deadline_exceeded",
        detail: "The deadline of X-Request-Timeout-Ms passed before the write was in the log; the write was dropped.",
        applied: .no
    )

    /// 404 `key_not_found`; `X-KV-Result: miss` distinguishes it from a missing route.
    package static let keyNotFound = Problem(
        .notFound,
        code: "key_not_found",
        detail: "The store has no such key.",
        headers: [(name: "X-KV-Result", value: "miss")]
    )

    private static func entityTag(_ revision: UInt64) -> [(name: StaticString, value: String)] {
        [(name: "ETag", value: "\"\(revision)\"")]
    }
}

extension ByteBuffer {
    /// Whether the readable bytes are well-formed UTF-8.
    fileprivate var isUTF8: Bool {
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: self.readableBytesUInt8Span)
            return true
        } catch {
            return false
        }
    }
}
