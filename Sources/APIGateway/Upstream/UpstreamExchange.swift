import NIOCore
import ServiceKit

/// One request to kv-service, over all its attempts, and what becomes of it. Confined to its event loop.
final class UpstreamExchange {
    let operation: UpstreamOperation
    /// Empty for a probe.
    let key: [UInt8]
    /// Empty for everything but a set.
    let value: ByteBuffer
    let identity: RequestIdentity
    /// Whether the client asked for `Server-Timing`.
    let wantsTiming: Bool
    /// Monotonic nanoseconds after which the answer is of no use.
    let deadlineNanoseconds: UInt64
    private var completion: ((UpstreamExchange, Result<UpstreamResponse, UpstreamFailure>) -> Void)?

    /// Attempts begun: requests written, and connections that were waited for in vain.
    var attempts = 0
    /// Monotonic nanoseconds at which the attempt under way was written.
    var sentAtNanoseconds: UInt64 = 0
    /// Monotonic nanoseconds at which the wait for a connection under way began; 0 while there is none.
    var waitsSinceNanoseconds: UInt64 = 0
    /// Time waited for a connection, over all attempts.
    var waitNanoseconds: UInt64 = 0
    /// Time from writing a request to its end, over all attempts.
    var upstreamNanoseconds: UInt64 = 0
    /// The connection that carries it.
    unowned(safe) var connection: UpstreamConnection?

    // Its place in the ``DeadlineList``. The list's forward links own, so backward ones need not.
    var expiresAtNanoseconds: UInt64 = 0
    var next: UpstreamExchange?
    unowned(safe) var previous: UpstreamExchange?

    init(
        operation: UpstreamOperation,
        key: [UInt8],
        value: ByteBuffer,
        identity: RequestIdentity,
        wantsTiming: Bool,
        deadlineNanoseconds: UInt64,
        completion: @escaping (UpstreamExchange, Result<UpstreamResponse, UpstreamFailure>) -> Void
    ) {
        self.operation = operation
        self.key = key
        self.value = value
        self.identity = identity
        self.wantsTiming = wantsTiming
        self.deadlineNanoseconds = deadlineNanoseconds
        self.completion = completion
    }

    /// Ends the exchange. To be called once.
    func complete(_ result: Result<UpstreamResponse, UpstreamFailure>) {
        guard let completion = self.completion else { preconditionFailure("an exchange was completed twice") }
        self.completion = nil
        completion(self, result)
    }
}

@available(*, unavailable)
extension UpstreamExchange: Sendable {}
