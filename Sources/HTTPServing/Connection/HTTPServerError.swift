/// Why a server could not be started.
public enum HTTPServerError: Error, Sendable, CustomStringConvertible {
    /// The server cannot listen on the address: it is in use, does not belong to this host, or is not permitted.
    case addressNotBound(host: String, port: Int, reason: String)

    public var description: String {
        switch self {
        case .addressNotBound(let host, let port, let reason):
            "cannot listen on \(host.contains(":") ? "[\(host)]" : host):\(port): \(reason)"
        }
    }
}
