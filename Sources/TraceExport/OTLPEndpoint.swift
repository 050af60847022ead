public import ServiceSettings

/// The HTTP address of an OpenTelemetry collector: `http://host:4318`, with or without a path.
public struct OTLPEndpoint: Sendable, Equatable {
    /// The port of OTLP/HTTP.
    static let defaultPort: UInt16 = 4318
    private static let signalPath = "/v1/traces"

    public let address: ListenAddress
    /// The path of the request: the given one, with `/v1/traces` appended unless it already ends with that.
    public let path: String

    /// Parses `http://host[:port][/path]`; nil for any other text. `https` is refused, because the services do not
    /// support TLS: a collector on this host, or in the same pod, forwards spans over TLS.
    public init?(_ text: String) {
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
    public var description: String { "http://\(self.address)\(self.path)" }
}

extension SettingKind where Value == OTLPEndpoint {
    /// `http://host[:port][/path]`.
    public static var otlpEndpoint: SettingKind {
        SettingKind(
            placeholder: "url",
            expectation: "an address such as http://127.0.0.1:4318; https is not supported",
            parse: { OTLPEndpoint($0) }
        )
    }
}
