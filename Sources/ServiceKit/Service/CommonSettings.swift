package import Logging
import NIOCore
package import ServiceSettings
import SystemSupport
package import TraceExport

/// The settings that both services have, with the same names and meanings.
package struct CommonSettings: Sendable {
    package let listen: Setting<ListenAddress>
    package let adminListen = Setting<ListenAddress?>(
        optional: "admin-listen", .listenAddress,
        help: "Second address, to which /metrics and /admin move")
    package let adminTokenFile = Setting<String?>(
        optional: "admin-token-file", .filePath,
        help: "File with the bearer token for /admin actions; without one only loopback peers may act")
    package let eventLoops: Setting<Int>
    package let logLevel = Setting(
        "log-level", .logLevel, default: "info",
        help: "Least severe level that is logged: trace, debug, info, notice, warning, error or critical")
    package let maxConnections = Setting(
        "max-connections", .integer(in: 1...1_000_000), default: "10000",
        help: "Maximum number of client connections; further ones are closed, up to 64 at a time after a 503")
    package let shutdownTimeout = Setting(
        "shutdown-timeout", .duration(in: .milliseconds(1) ... .seconds(3600)), default: "10s",
        help: "Longest time for the graceful stop")

    package let otlpEndpoint = Setting<OTLPEndpoint?>(
        optional: "otlp-endpoint", .otlpEndpoint,
        help: "Collector that takes spans over OTLP/HTTP as JSON, http://host:4318; without one none are made")
    package let traceSampleRatio = Setting(
        "trace-sample-ratio", .ratio(in: 0...1), default: "1",
        help: "Part of the traces begun here that is exported to --otlp-endpoint; callers decide on theirs")

    /// - Parameter listen: the default address.
    package init(listen: String) {
        self.listen = Setting(
            "listen", .listenAddress, default: listen,
            help: "Address to serve on; port 0 takes a free one, told by the log line \"listening\"")
        self.eventLoops = Setting(
            "event-loops", .eventLoops, default: "auto",
            help: "Threads that serve connections; auto is one for each core that may be used")
    }

    /// All of them, in the order of help; `others` come after the addresses.
    package func list(with others: [any SettingDefinition]) -> [any SettingDefinition] {
        [self.listen, self.adminListen, self.adminTokenFile] + others
            + [
                self.maxConnections, self.eventLoops, self.logLevel, self.otlpEndpoint, self.traceSampleRatio,
                self.shutdownTimeout,
            ]
    }
}

extension CommonSettings {
    /// The number of threads that serve connections.
    package func eventLoopCount(_ settings: ResolvedSettings) -> Int {
        let asked = settings[self.eventLoops]
        // NIO counts what a cgroup leaves, which may be less than the affinity does; and the other way about.
        return asked == 0 ? min(System.coreCount, ProcessorCount.ofThisThread ?? .max) : asked
    }

    /// What is wrong with the values together.
    package func contradictions(_ settings: ResolvedSettings) -> [ConfigurationError] {
        let listen = settings[self.listen]
        guard listen.port != 0, settings[self.adminListen] == listen else { return [] }
        return [
            settings.error(
                self.adminListen,
                "\(listen) is --listen; leave it out to serve /metrics and /admin there, or choose another address")
        ]
    }
}

extension SettingKind where Value == Int {
    /// A number of event loops, or `auto` for the number of cores, which is 0 here.
    fileprivate static var eventLoops: SettingKind {
        SettingKind(
            placeholder: "number", expectation: "auto or a whole number from 1 to 256", jsonForms: [.number, .string],
            completion: .words(["auto"])
        ) { text in text == "auto" ? 0 : Int(text).flatMap { (1...256).contains($0) ? $0 : nil } }
    }
}

extension SettingKind where Value == Logger.Level {
    fileprivate static var logLevel: SettingKind {
        let words = Logger.Level.allCases.map(\.rawValue)
        return SettingKind(
            placeholder: "level", expectation: "one of \(words.joined(separator: ", "))", completion: .words(words)
        ) { Logger.Level(rawValue: $0) }
    }
}
