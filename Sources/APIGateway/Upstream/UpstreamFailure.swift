import NIOCore
import NIOPosix
import SystemSupport
import TransportSecurity

/// Why a request got no answer from kv-service.
enum UpstreamFailure: Error, Equatable, Sendable {
    /// The queue for a connection was full, or no connection became free in time.
    case poolExhausted
    /// No connection could be opened.
    case connect(String)
    /// The circuit breaker is open: kv-service failed repeatedly just now.
    ///
    /// `because`: how, for a person.
    case circuitOpen(retryAfterSeconds: Int, because: String = "")
    /// The deadline of the request passed.
    case timeout(sent: Bool)
    /// The connection was closed before the answer was complete.
    case reset(sent: Bool)
    /// The answer is not one that kv-service sends.
    case protocolError(String)
    /// kv-service sent the value, but it has more bytes than the gateway forwards.
    case answerTooLarge(bytes: Int, limit: Int)
    /// The gateway is stopping.
    case stopping

    /// Whether a byte of the request can have reached kv-service. If not, it is safe to send a write again.
    var mayHaveReachedUpstream: Bool {
        switch self {
        case .poolExhausted, .connect, .circuitOpen, .stopping: false
        case .timeout(let sent), .reset(let sent): sent
        case .protocolError, .answerTooLarge: true
        }
    }

    /// The value of the `reason` label.
    var label: String {
        switch self {
        case .poolExhausted: "pool_exhausted"
        case .connect: "connect"
        case .circuitOpen: "circuit_open"
        case .timeout: "timeout"
        case .reset: "reset"
        case .protocolError: "protocol"
        case .answerTooLarge: "answer_too_large"
        case .stopping: "stopping"
        }
    }

    /// What happened, for a person.
    var message: String {
        switch self {
        case .poolExhausted: "no connection became free in time"
        case .connect(let reason), .protocolError(let reason): reason
        case .circuitOpen(_, let because):
            because.isEmpty ? "the circuit breaker is open" : "the circuit breaker is open: \(because)"
        case .timeout(let sent): sent ? "no answer before the deadline" : "no connection before the deadline"
        case .reset: "the connection was closed before the answer was complete"
        case .answerTooLarge(let bytes, let limit): "a value of \(bytes) bytes, above the gateway's limit of \(limit)"
        case .stopping: "the gateway is stopping"
        }
    }

    /// What that says about kv-service, for a person: which of the ways to fail it is.
    var explanation: String {
        switch self {
        case .connect(let reason): "no connection: \(reason)"
        case .timeout: "too slow: \(self.message)"
        case .reset: self.message
        case .protocolError(let reason): "what answers is not kv-service: \(reason)"
        case .poolExhausted, .circuitOpen, .answerTooLarge, .stopping: self.message
        }
    }

    static let labels = [
        "pool_exhausted", "connect", "circuit_open", "timeout", "reset", "protocol", "answer_too_large",
        "stopping",
    ]
}

extension UpstreamFailure {
    /// Why a connection could not be opened, as text.
    static func connectReason(_ error: any Error) -> String {
        switch error {
        case let error as IOError:
            return ErrorNumber.text(error.errnoCode)
        case ChannelError.connectTimeout(let timeout):
            return "no connection within \(timeout.nanoseconds / 1_000_000) ms"
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { return self.connectReason(first.error) }
            return "unknown host \(error.host)"
        default:
            return HandshakeFailure(error)?.description ?? "\(error)"
        }
    }
}
