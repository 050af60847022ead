public import ServiceSettings

/// The address of kv-service: `http://host:port` or `https://host:port`.
public struct UpstreamAddress: Sendable, Equatable {
    public let address: ListenAddress
    public let isSecure: Bool

    /// Parses `http://host:port` or `https://host:port`, with or without a `/` at the end; nil for any other text. The port
    /// is 80 or 443 if there is none. A path is refused, because requests would not contain it.
    public init?(_ text: String) {
        self.isSecure = text.hasPrefix("https://")
        guard self.isSecure || text.hasPrefix("http://") else { return nil }
        var rest = text.dropFirst(self.isSecure ? "https://".count : "http://".count)
        if rest.last == "/" { rest.removeLast() }
        let hasPort = rest.last != "]" && rest.contains(":")
        guard let address = ListenAddress(hasPort ? String(rest) : rest + (self.isSecure ? ":443" : ":80")),
            address.port != 0
        else { return nil }
        self.address = address
    }

    /// The `Host` field of requests.
    var authority: String { self.address.description }
}

extension UpstreamAddress: CustomStringConvertible {
    public var description: String { "\(self.isSecure ? "https" : "http")://\(self.address)" }
}

extension SettingKind where Value == UpstreamAddress {
    /// `http://host:port` or `https://host:port`.
    public static var upstreamAddress: SettingKind {
        SettingKind(
            placeholder: "url",
            expectation: "an address such as http://127.0.0.1:8081, without a path",
            parse: { UpstreamAddress($0) }
        )
    }
}
