package import ServiceKit
package import ServiceSettings

/// The settings of the gateway.
package enum GatewaySettings {
    package static let common = CommonSettings(listen: "127.0.0.1:8080")
    package static let upstream = Setting(
        "upstream",
        .upstreamAddress,
        default: "http://127.0.0.1:8081",
        help: "Where kv-service is"
    )
    package static let upstreamTimeout = Setting(
        "upstream-timeout",
        .duration(in: .milliseconds(1) ... .seconds(3600)),
        default: "3s",
        help: "Whole deadline of a request: waiting for a connection, kv-service's answer, and further attempts"
    )
    package static let maxKeyBytes = Setting(
        "max-key-bytes",
        .integer(in: 1...4096),
        default: "1024",
        help: "Longest key in bytes; as in kv-service"
    )
    package static let maxValueBytes = Setting(
        "max-value-bytes",
        .byteSize(in: 1...4 << 20),
        default: "65536",
        help: "Longest value in bytes; as in kv-service"
    )

    package static let table = SettingsTable(
        environmentPrefix: "GATEWAY_",
        settings: Self.common.list(with: [upstream, upstreamTimeout, maxKeyBytes, maxValueBytes]),
        check: { Self.common.contradictions($0) + Self.contradictions($0) }
    )

    /// A gateway that is its own kv-service would send itself each request until its connections are used up.
    private static func contradictions(_ settings: ResolvedSettings) -> [ConfigurationError] {
        let upstream = settings[Self.upstream].address
        let own = [settings[Self.common.listen], settings[Self.common.adminListen]].compactMap { $0 }
        guard own.contains(where: { $0 == upstream || $0.reachableFromThisHost == upstream }) else { return [] }
        return [
            settings.error(
                Self.upstream, "'\(settings[Self.upstream])' is where this gateway listens; it must be kv-service")
        ]
    }
}
