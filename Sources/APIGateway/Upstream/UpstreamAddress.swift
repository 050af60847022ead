import NIOCore
package import ServiceSettings

/// Where kv-service is: `http://host:port`.
package struct UpstreamAddress: Sendable, Equatable {
    package let address: ListenAddress

    /// Parses `http://host:port`, with or without a `/` behind it; nil when the text is anything else. A path is
    /// refused, for it would be left out of every request; so is `https`, which the gateway does not speak.
    package init?(_ text: String) {
        guard text.hasPrefix("http://") else { return nil }
        var rest = text.dropFirst("http://".count)
        if rest.last == "/" { rest.removeLast() }
        let hasPort = rest.last != "]" && rest.contains(":")
        guard let address = ListenAddress(hasPort ? String(rest) : rest + ":80"), address.port != 0 else { return nil }
        self.address = address
    }

    /// The `Host` field of requests.
    var authority: String { self.address.description }

    /// The socket address, when the host is one already and no resolver has to be asked.
    var socketAddress: SocketAddress? {
        try? SocketAddress(ipAddress: self.address.host, port: Int(self.address.port))
    }
}

extension UpstreamAddress: CustomStringConvertible {
    package var description: String { "http://\(self.address)" }
}

extension SettingKind where Value == UpstreamAddress {
    /// `http://host:port`.
    package static var upstreamAddress: SettingKind {
        SettingKind(
            placeholder: "url",
            expectation: "an address such as http://127.0.0.1:8081, without a path",
            parse: { UpstreamAddress($0) }
        )
    }
}
