public import HTTP1
public import HTTPServing
import NIOHTTP1

/// `Idempotency-Key`: 1 to 128 visible ASCII characters, which a client chooses anew for each write and sends again when
/// it repeats that.
public enum IdempotencyField {
    public static let maximumBytes = 128

    /// Call it before the action returns.
    /// - Returns: nil for a request without one.
    /// - Throws: 400 `bad_idempotency_key`.
    public static func read(_ request: HTTPRequest) throws(Problem) -> [UInt8]? {
        let field = request.fields.idempotencyKey
        if field.count == 0 { return nil }
        return try request.withValue(field.value) { (value) throws(Problem) in
            guard field.count == 1, 1...Self.maximumBytes ~= value.count,
                value.indices.allSatisfy({ 0x21...0x7E ~= value[$0] })
            else {
                throw Problem(
                    .badRequest, code: "bad_idempotency_key",
                    detail: "Idempotency-Key must be one field of 1 to \(Self.maximumBytes) visible ASCII characters.",
                    applied: .no)
            }
            return value.indices.map { value[$0] }
        }
    }
}
