/// Why a server could not be started.
package enum HTTPServerError: Error, Sendable, CustomStringConvertible {
    /// The address can't be listened on: it is in use, not this host's, or not permitted.
    case addressNotBound(host: String, port: Int, reason: String)

    package var description: String {
        switch self {
        case .addressNotBound(let host, let port, let reason):
            "cannot listen on \(host.contains(":") ? "[\(host)]" : host):\(port): \(reason)"
        }
    }
}
