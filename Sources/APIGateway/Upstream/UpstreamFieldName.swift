import Glibc

/// The fields of an answer that the gateway reads, by their names, which ignore case.
enum UpstreamFieldName {
    case entityTag, connection, retryAfter, result, contentType, requestID, serverTiming, contentLength,
        transferEncoding
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
        case 17 where Self.equals(name, "transfer-encoding"): self = .transferEncoding
        case 22 where Self.equals(name, "x-content-type-options"): self = .other
        default: self = Self.isToken(name) ? .other : .malformed
        }
    }

    /// The offset of the first colon.
    @inline(__always)
    static func endOfName(in line: Span<UInt8>) -> Int? {
        // The pointers are used only for this search, within the span's bounds.
        unsafe line.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress, let colon = unsafe memchr(base, Int32(UInt8(ascii: ":")), bytes.count)
            else { return nil }
            return unsafe UnsafeRawPointer(colon) - UnsafeRawPointer(base)
        }
    }

    /// Whether the bytes begin with `text`: eight are compared at once.
    ///
    /// - Parameter mask: bits that do not count, in each of eight bytes. They are set in `text`.
    @inline(__always)
    static func begins(_ bytes: Span<UInt8>, with text: StaticString, mask: UInt64 = 0) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.count >= count else { return false }
        // A constant of the program: its pointer is always valid. Eight bytes are loaded below `count`, which is
        // within the span.
        let wanted = unsafe UnsafeRawPointer(text.utf8Start)
        var index = 0
        while index &+ 8 <= count {
            let word = unsafe bytes.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self)
            guard unsafe word | mask == wanted.loadUnaligned(fromByteOffset: index, as: UInt64.self) else {
                return false
            }
            index &+= 8
        }
        while index < count {
            let byte = bytes[index] | UInt8(truncatingIfNeeded: mask)
            guard unsafe byte == wanted.load(fromByteOffset: index, as: UInt8.self) else { return false }
            index &+= 1
        }
        return true
    }

    /// Letters differ from those of the other case, and `-` from a carriage return, in bit 5 alone.
    @inline(__always)
    private static func equals(_ name: Span<UInt8>, _ lowercase: StaticString) -> Bool {
        self.begins(name, with: lowercase, mask: 0x2020_2020_2020_2020)
    }

    private static func isToken(_ name: Span<UInt8>) -> Bool {
        for index in name.indices {
            let byte = name[index]
            guard byte < 0x80, self.tokenCharacters[Int(byte >> 6)] >> UInt64(byte & 63) & 1 == 1 else { return false }
        }
        return !name.isEmpty
    }

    /// A bit for each of 128 characters: letters, digits and ``!#$%&'*+-.^_`|~``.
    private static let tokenCharacters: InlineArray<2, UInt64> = [0x03FF_6CFA_0000_0000, 0x57FF_FFFF_C7FF_FFFE]
}
