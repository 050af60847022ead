/// The address at which a member of an etcd cluster takes requests of clients.
public struct EtcdEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// A name, or an address without brackets.
    public let host: String
    public let port: Int

    /// - Parameter text: `host:port` or `http://host:port`; an IPv6 address is in brackets.
    /// - Returns: nil if it is none.
    public init?(_ text: String) {
        let scheme = "http://"
        let authority = text.hasPrefix(scheme) ? text.dropFirst(scheme.count) : text[...]
        guard let colon = authority.lastIndex(of: ":"), let port = Int(authority[authority.index(after: colon)...]),
            (1...65_535).contains(port), String(port) == authority[authority.index(after: colon)...]
        else { return nil }
        var host = authority[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, host.allSatisfy({ $0.isASCII && !$0.isWhitespace && !"/?#@[]".contains($0) }) else {
            return nil
        }
        self.host = String(host)
        self.port = port
    }

    public var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}
