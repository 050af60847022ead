import NIOHTTP1

/// What an access line says about one request.
struct AccessRecord {
    var wallClockNanoseconds: UInt64
    var identity: RequestIdentity
    var handler: String
    var isProbe: Bool
    var method: String
    /// Without the query.
    var path: String
    var status: UInt
    var durationNanoseconds: UInt64
    var requestBytes: Int
    var responseBytes: Int
    var remoteAddress: String
    var userAgent: String
    var version: HTTPVersion
    /// The problem's code, nil for a success.
    var failure: String?
    /// Names and milliseconds.
    var stages: [(name: StaticString, value: Double)]
}
