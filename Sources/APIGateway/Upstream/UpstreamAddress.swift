import NIOCore
public import ServiceSettings

/// The address of kv-service: `http://host:port`.
public struct UpstreamAddress: Sendable, Equatable {
    public let address: ListenAddress

    /// Parses `http://host:port`, with or without a `/` at the end; nil for any other text. A path is refused, because
    /// requests would not contain it; so is `https`, which the gateway does not support.
    public init?(_ text: String) {
        guard text.hasPrefix("http://") else { return nil }
        var rest = text.dropFirst("http://".count)
        if rest.last == "/" { rest.removeLast() }
        let hasPort = rest.last != "]" && rest.contains(":")
        guard let address = ListenAddress(hasPort ? String(rest) : rest + ":80"), address.port != 0 else { return nil }
        self.address = address
    }

    /// The `Host` field of requests.
    var authority: String { self.address.description }

    /// The socket address, if the host is an IP address and needs no resolver.
    var socketAddress: SocketAddress? {
        try? SocketAddress(ipAddress: self.address.host, port: Int(self.address.port))
    }
}

extension UpstreamAddress: CustomStringConvertible {
    public var description: String { "http://\(self.address)" }
}

extension SettingKind where Value == UpstreamAddress {
    /// `http://host:port`.
    public static var upstreamAddress: SettingKind {
        SettingKind(
            placeholder: "url",
            expectation: "an address such as http://127.0.0.1:8081, without a path",
            parse: { UpstreamAddress($0) }
        )
    }
}
