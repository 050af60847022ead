public import HTTP1
public import HTTPServing
public import JSON
import NIOHTTP1

/// The answers of the key-value operations, the same from every service that has them.
public enum KeyValueAnswer {
    private static let json: StaticString = "application/json"
    private static let bytes: StaticString = "application/octet-stream"

    /// `{"status":"ok","message":…,"revision":N}` with `ETag: "N"`.
    /// - Parameters:
    ///   - message: needs no escapes.
    ///   - headers: further ones.
    public static func set(
        _ responder: Responder, revision: UInt64, message: StaticString,
        headers: [(name: StaticString, value: String)] = []
    ) {
        let head = ResponseHead(status: .ok, contentType: Self.json, entityTag: revision, headers: headers)
        responder.respond(head) { document in
            document.append("{\"status\":\"ok\",\"message\":\"")
            document.append(message)
            document.append("\",\"revision\":")
            document.append(integer: revision)
            document.append("}\n")
        }
    }

    /// `{"status":"ok","message":…,"deleted":…,"revision":N}`; without a revision if nothing was written.
    /// - Parameters:
    ///   - message: for a key that existed; for a missing key the message is that nothing was deleted.
    ///   - headers: further ones.
    public static func deleted(
        _ responder: Responder, _ deleted: Bool, revision: UInt64?, message: String,
        headers: [(name: StaticString, value: String)] = []
    ) {
        responder.respond(ResponseHead(status: .ok, contentType: Self.json, headers: headers)) { document in
            document.object { object in
                object.member("status", "ok")
                object.member("message", deleted ? message : "key not found, nothing deleted")
                object.member("deleted", deleted)
                if let revision { object.member("revision", revision) }
            }
            document.newline()
        }
    }

    /// A value with `ETag: "N"`: its bytes, or `{"status":"ok","value":…,"revision":N}`, where a value that is not UTF-8
    /// is `"value_b64"` in Base64 with `"encoding":"base64"`.
    /// - Parameters:
    ///   - expiresAt: milliseconds since 1970, in `expires_at` or `X-KV-Expires-At`; 0 for never.
    ///   - headers: further ones.
    public static func value(
        _ responder: Responder, _ value: UnsafeRawBufferPointer, revision: UInt64, expiresAt: UInt64,
        as representation: ValueRepresentation, headers: [(name: StaticString, value: String)] = []
    ) {
        var head = ResponseHead(status: .ok, contentType: Self.json, entityTag: revision, headers: headers)
        guard representation == .json else {
            head.contentType = Self.bytes
            if expiresAt != 0 { head.headers.append(("X-KV-Expires-At", String(expiresAt))) }
            return unsafe responder.respond(head, body: value)
        }
        // The pointer is used only during this call.
        let bytes = unsafe value.bindMemory(to: UInt8.self).span
        responder.respond(head) { document in
            if Self.isUTF8(bytes) {
                document.append("{\"status\":\"ok\",\"value\":")
                document.appendText(bytes)
            } else {
                document.append("{\"status\":\"ok\",\"value_b64\":\"")
                document.append(text: Base64.encode(unsafe Array(value)))
                document.append("\",\"encoding\":\"base64\"")
            }
            document.append(",\"revision\":")
            document.append(integer: revision)
            if expiresAt != 0 {
                document.append(",\"expires_at\":")
                document.append(integer: expiresAt)
            }
            document.append("}\n")
        }
    }

    /// 304 with `ETag: "N"` and no body: the client has the value.
    /// - Parameter headers: further ones.
    public static func notModified(
        _ responder: Responder, revision: UInt64, headers: [(name: StaticString, value: String)] = []
    ) {
        let head = ResponseHead(status: .notModified, contentType: Self.json, entityTag: revision, headers: headers)
        responder.respond(HTTPResponse(head, .bytes([])))
    }

    /// A page of keys: `{"status":"ok","keys":[{"key":…,"revision":N}],"revision":N}`, and a `cursor` if there is more. Keys
    /// that are not UTF-8 are `key_b64` in Base64, and so are values as `value_b64`.
    /// - Parameters:
    ///   - store: the identity of the store.
    ///   - scan: gives the records of the page to its parameter until that returns false, which it does for the first one
    ///     behind the page, and returns the revision of their state, and the number of keys in the range if it is wanted.
    public static func keys(
        _ responder: Responder, _ request: KeysRequest, ofStore store: (high: UInt64, low: UInt64),
        scan: (
            _ take: (
                _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ revision: UInt64,
                _ expiresAt: UInt64
            ) -> Bool
        ) -> (revision: UInt64, count: Int?)
    ) {
        responder.respond(ResponseHead(status: .ok, contentType: Self.json)) { document in
            document.object { object in
                object.member("status", "ok")
                var page = KeysPage(request)
                var last: [UInt8] = []
                var hasMore = false
                var state: (revision: UInt64, count: Int?) = (0, nil)
                object.member(
                    "keys",
                    array: { keys in
                        state = unsafe scan { key, value, revision, expiresAt in
                            hasMore = page.isFull
                            if hasMore { return false }
                            unsafe page.append(key, value, revision: revision, expiresAt: expiresAt, to: &keys)
                            if page.isFull { last = unsafe Array(key) }
                            return true
                        }
                    })
                object.member("revision", state.revision)
                if let count = state.count { object.member("count", count) }
                if hasMore { object.member("cursor", request.cursor(behind: last, ofStore: store).text) }
            }
            document.newline()
        }
    }

    static func isUTF8(_ bytes: Span<UInt8>) -> Bool {
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: bytes)
            return true
        } catch {
            return false
        }
    }

    /// A committed transaction: `{"status":"ok","revision":N,"results":[…]}`, with one result for each operation.
    /// - Parameters:
    ///   - headers: further ones.
    ///   - results: writes them.
    public static func committed(
        _ responder: Responder, revision: UInt64, headers: [(name: StaticString, value: String)],
        results: (inout JSONWriter) -> Void
    ) {
        responder.respond(ResponseHead(status: .ok, contentType: Self.json, headers: headers)) { document in
            document.object { object in
                object.member("status", "ok")
                object.member("revision", revision)
                object.member("results", array: results)
            }
            document.newline()
        }
    }

    /// Several keys of one state: `{"status":"ok","revision":N,"values":[…]}`.
    /// - Parameter values: writes them, and returns the revision of the state.
    public static func several(_ responder: Responder, values: (inout JSONWriter) -> UInt64) {
        responder.respond(ResponseHead(status: .ok, contentType: Self.json)) { document in
            document.object { object in
                object.member("status", "ok")
                var revision: UInt64 = 0
                object.member("values", array: { revision = values(&$0) })
                object.member("revision", revision)
            }
            document.newline()
        }
    }

    /// `{"status":"ok","value":"42","number":42,"revision":N}` with `ETag: "N"`.
    /// - Parameters:
    ///   - expiresAt: milliseconds since 1970; 0 for never.
    ///   - headers: further ones.
    public static func incremented(
        _ responder: Responder, to number: Int64, revision: UInt64, expiresAt: UInt64,
        headers: [(name: StaticString, value: String)] = []
    ) {
        let head = ResponseHead(status: .ok, contentType: Self.json, entityTag: revision, headers: headers)
        responder.respond(head) { document in
            document.object { object in
                object.member("status", "ok")
                object.member("value", String(number))
                object.member("number", number)
                object.member("revision", revision)
                if expiresAt != 0 { object.member("expires_at", expiresAt) }
            }
            document.newline()
        }
    }

    /// The code of ``checksFailed(_:headers:)``.
    public static let checksFailedCode = "checks_failed"

    /// 409 `checks_failed` with `"failed":[{"check":0,"key":…,"revision":7}]`: nothing of the transaction was written.
    /// - Parameters:
    ///   - failed: the places of the checks, their keys, and the revisions of those, nil for keys that do not exist.
    ///   - headers: further ones.
    public static func checksFailed(
        _ failed: [(check: Int, key: [UInt8], current: UInt64?)], headers: [(name: StaticString, value: String)]
    ) -> Problem {
        var problem = Problem(
            .conflict, code: Self.checksFailedCode,
            detail: "\(failed.count) of the checks failed; nothing of the transaction was written.", applied: .no,
            headers: headers)
        var members = JSONWriter()
        members.member(
            "failed",
            array: { array in
                for (check, key, current) in failed {
                    array.element(object: { object in
                        object.member("check", check)
                        unsafe key.withUnsafeBytes { unsafe object.member("key", "key_b64", bytes: $0) }
                        if let current { object.member("revision", current) }
                    })
                }
            })
        problem.members = members.bytes
        return problem
    }

    /// 409 `not_a_number` or `overflow`: nothing was added to.
    public static func notANumber(headers: [(name: StaticString, value: String)]) -> Problem {
        Problem(
            .conflict, code: "not_a_number",
            detail: "The value of the key is not a signed 64-bit number in decimal text; nothing was written.",
            applied: .no, headers: headers)
    }

    public static func overflow(headers: [(name: StaticString, value: String)]) -> Problem {
        Problem(
            .conflict, code: "overflow",
            detail: "The sum does not fit into a signed 64-bit number; nothing was written.",
            applied: .no, headers: headers)
    }

    /// 422 `idempotency_key_reused`: the key is that of another request, whose answer this one must not get.
    public static let idempotencyKeyReused = Problem(
        .unprocessableEntity, code: "idempotency_key_reused",
        detail:
            "The Idempotency-Key was used for another request a short time ago; nothing was written. Use a new one for "
            + "each write.",
        applied: .no)

    /// 504 `deadline_exceeded`: a write whose deadline had passed.
    public static let deadlineExceeded = Problem(
        .gatewayTimeout,
        code: "deadline_exceeded",
        detail: "The deadline of X-Request-Timeout-Ms passed before the write was in the log; the write was dropped.",
        applied: .no
    )

    /// The code of ``preconditionFailed(current:headers:)``.
    public static let preconditionFailedCode = "precondition_failed"

    /// 412 `precondition_failed`: the condition of a write was not met, so nothing was written.
    /// - Parameters:
    ///   - current: the revision of the key; nil if it does not exist.
    ///   - headers: further ones.
    public static func preconditionFailed(
        current: UInt64?, headers: [(name: StaticString, value: String)] = []
    ) -> Problem {
        let state = current.map { "The key exists with revision \($0)" } ?? "The key does not exist"
        return Problem(
            .preconditionFailed, code: Self.preconditionFailedCode,
            detail: "\(state), so the condition of the write is not met; nothing was written.",
            applied: .no, revision: current, headers: headers)
    }

    /// 404 `key_not_found`; `X-KV-Result: miss` distinguishes it from a missing route.
    public static let keyNotFound = Problem(
        .notFound,
        code: "key_not_found",
        detail: "The store has no such key.",
        headers: [(name: "X-KV-Result", value: "miss")]
    )
}
