package import ServiceSettings

/// Where an OpenTelemetry collector takes spans over HTTP: `http://host:4318`, with or without a path.
package struct OTLPEndpoint: Sendable, Equatable {
    /// The port of OTLP/HTTP.
    static let defaultPort: UInt16 = 4318
    private static let signalPath = "/v1/traces"

    package let address: ListenAddress
    /// What the request asks for: the path given, with `/v1/traces` behind it unless it ends so already.
    package let path: String

    /// Parses `http://host[:port][/path]`; nil when the text is anything else. `https` is refused, for the services
    /// speak no TLS: a collector on this host, or in the same pod, passes spans on over TLS.
    package init?(_ text: String) {
        guard text.hasPrefix("http://") else { return nil }
        let rest = text.dropFirst("http://".count)
        let authority = rest.prefix { $0 != "/" }
        let hasPort = authority.last != "]" && authority.contains(":")
        guard let address = ListenAddress(hasPort ? String(authority) : "\(authority):\(Self.defaultPort)"),
            address.port != 0
        else { return nil }
        var path = rest.dropFirst(authority.count)
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
        else { return nil }
        while path.last == "/" { path.removeLast() }
        self.address = address
        self.path = path.hasSuffix(Self.signalPath) ? String(path) : path + Self.signalPath
    }
}

extension OTLPEndpoint: CustomStringConvertible {
    package var description: String { "http://\(self.address)\(self.path)" }
}

extension SettingKind where Value == OTLPEndpoint {
    /// `http://host[:port][/path]`.
    package static var otlpEndpoint: SettingKind {
        SettingKind(
            placeholder: "url",
            expectation: "an address such as http://127.0.0.1:4318; https is not spoken",
            parse: { OTLPEndpoint($0) }
        )
    }
}
