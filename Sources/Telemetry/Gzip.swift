import CGzip
import HTTP1

/// The content coding `gzip`.
enum Gzip {
    /// zlib's level: metrics are a sixth larger than at the default level, but take less than a third of the time.
    private static let level: Int32 = 1

    /// Whether `Accept-Encoding` allows gzip: it contains `gzip`, `x-gzip` or `*` with a weight above 0. A name has
    /// precedence over the wildcard.
    static func isAccepted(_ headers: HeaderFields) -> Bool {
        var named: Bool?
        var wildcard = false
        for element in headers.elements(of: "accept-encoding") {
            let coding = MediaType(element[...])
            if coding.isNamed("gzip") || coding.isNamed("x-gzip") {
                named = coding.weight > 0
            } else if coding.isNamed("*") {
                wildcard = coding.weight > 0
            }
        }
        return named ?? wildcard
    }

    /// The compressed bytes; nil if there is not enough memory.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        let bound = kv_gzip_bound(bytes.count)
        // Both arrays are used only during this call, within their bounds.
        let compressed = unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            unsafe count = bytes.withUnsafeBytes { input in
                unsafe kv_gzip(input.baseAddress, input.count, output.baseAddress, bound, Self.level)
            }
        }
        return compressed.isEmpty ? nil : compressed
    }
}
