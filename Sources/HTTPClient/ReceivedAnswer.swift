import NIOHTTP1

/// The answer to an ``HTTPExchange``, as far as it was read.
public struct ReceivedAnswer: Sendable {
    /// Nil if the peer's bytes were not an answer of HTTP/1.
    public private(set) var status: Int?
    /// `Retry-After` in seconds; nil if there is none, or it is a date.
    public private(set) var retryAfterSeconds: Int?
    public internal(set) var body: [UInt8] = []
    /// Whether the answer has been read to its end.
    var isComplete = false

    public init() {}

    mutating func take(_ head: HTTPResponseHead) {
        self.status = Int(head.status.code)
        self.retryAfterSeconds = head.headers.first(name: "Retry-After").flatMap(Int.init).flatMap {
            $0 >= 0 ? $0 : nil
        }
    }
}
