import AsyncHTTPClient
import Glibc
import NIOCore
import NIOPosix
import TransportSecurity

/// Why a request got no answer, as a short text.
enum ConnectionTrouble {
    static func text(_ error: any Error) -> String {
        if let failure = HandshakeFailure(error) { return "\(failure)" }
        switch error {
        case let error as NIOConnectionError:
            if error.dnsAError != nil || error.dnsAAAAError != nil, error.connectionErrors.isEmpty {
                return "unknown host"
            }
            return error.connectionErrors.first.map { self.text($0.error) } ?? "no connection"
        case let error as IOError: return self.text(errorNumber: error.errnoCode)
        case let error as HTTPClientError:
            switch error {
            case .deadlineExceeded, .readTimeout, .writeTimeout, .connectTimeout, .getConnectionFromPoolTimeout:
                return "timed out"
            case .remoteConnectionClosed: return "connection closed"
            case .invalidURL, .emptyHost, .emptyScheme: return "the URL is not valid"
            default: return error.shortDescription
            }
        case is ChannelError: return "timed out"
        case is CancellationError: return "cancelled"
        case is NIOTooManyBytesError: return "the document is too large"
        default: return "\(error)"
        }
    }

    private static func text(errorNumber: CInt) -> String {
        switch errorNumber {
        case ECONNREFUSED: "connection refused"
        case ECONNRESET, EPIPE: "connection reset"
        case ETIMEDOUT: "timed out"
        case EHOSTUNREACH, ENETUNREACH: "host unreachable"
        default: "errno \(errorNumber)"
        }
    }
}
