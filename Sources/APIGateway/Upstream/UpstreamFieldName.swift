import HTTP1

/// The fields of an answer that the gateway reads, by their names, which ignore case.
enum UpstreamFieldName {
    case entityTag, connection, retryAfter, result, contentType, requestID, serverTiming, contentLength,
        transferEncoding, expiresAt, replayed
    /// A field that is not read.
    case other
    /// Not a token (RFC 9110, section 5.6.2).
    case malformed

    /// - Parameter name: without control characters.
    init(_ name: Span<UInt8>) {
        // Most names differ in their length already. Those that kv-service sends and that are not read need no search
        // for other characters.
        switch name.count {
        case 4 where Self.equals(name, "etag"): self = .entityTag
        case 4 where Self.equals(name, "date"): self = .other
        case 10 where Self.equals(name, "connection"): self = .connection
        case 11 where Self.equals(name, "retry-after"): self = .retryAfter
        case 11 where Self.equals(name, "x-kv-result"): self = .result
        case 12 where Self.equals(name, "content-type"): self = .contentType
        case 12 where Self.equals(name, "x-request-id"): self = .requestID
        case 13 where Self.equals(name, "cache-control"): self = .other
        case 13 where Self.equals(name, "server-timing"): self = .serverTiming
        case 14 where Self.equals(name, "content-length"): self = .contentLength
        case 15 where Self.equals(name, "x-kv-expires-at"): self = .expiresAt
        case 17 where Self.equals(name, "transfer-encoding"): self = .transferEncoding
        case 20 where Self.equals(name, "idempotency-replayed"): self = .replayed
        case 22 where Self.equals(name, "x-content-type-options"): self = .other
        default: self = ASCII.isToken(name) ? .other : .malformed
        }
    }

    /// Letters differ from those of the other case, and `-` from a carriage return, in bit 5 alone.
    @inline(__always)
    private static func equals(_ name: Span<UInt8>, _ lowercase: StaticString) -> Bool {
        ASCII.begins(name, with: lowercase, mask: 0x2020_2020_2020_2020)
    }
}
