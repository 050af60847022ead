public import HTTP1
public import HTTPServing
import NIOCore

/// `{"key":…,"delta":N}`, with a condition and an expiry time as a set may have them.
public struct IncrementRequest: Sendable, Equatable {
    public let key: [UInt8]
    /// 1 without it.
    public let delta: Int64
    public let precondition: Precondition
    /// ``RequestedExpiry/never`` keeps what the key has.
    public let expiry: RequestedExpiry

    private static let names = ["key", "key_b64", "delta", "ttl_ms", "expires_at", "if_revision", "if_absent"]

    /// - Throws: 400 `not_json`, `bad_json`, `bad_expiry`, `bad_precondition`, `key_missing`, `key_empty`,
    ///   `key_too_large`; 403 `forbidden`; 415 `unsupported_media_type`. Each has `applied` no.
    public init(of request: HTTPRequest, limits: KeyValueLimits) throws(Problem) {
        try JSONBody.check(request, applied: .no)
        let body = request.body
        try self.init(
            body.readableBytesUInt8Span, if: try Precondition(ofWrite: request), limits: limits)
        try request.checkAccess(to: self.key, applied: .no)
    }

    init(_ body: Span<UInt8>, if precondition: Precondition, limits: KeyValueLimits) throws(Problem) {
        let object = try BodyObject.read(body, names: Self.names, applied: .no)
        self.key = try object.key(limits)
        self.delta = try object.integer("delta") ?? 1
        self.expiry = try object.expiry()
        self.precondition = try object.precondition(orElse: precondition)
    }

    /// Maximum body in bytes.
    public static func maximumBodyBytes(_ limits: KeyValueLimits) -> Int { 6 * limits.maxKeyBytes + 1024 }
}
