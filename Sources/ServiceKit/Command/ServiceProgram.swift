public import ServiceSettings
public import SystemSupport

/// What distinguishes one service's program from another's; ``ServiceCommand`` builds the command line from it.
///
/// ```swift
/// enum GatewaySettings {
///     static let common = CommonSettings(listen: "127.0.0.1:8080")
///     static let upstreamTimeout = Setting(
///         "upstream-timeout", .duration(in: .milliseconds(1) ... .seconds(60)), default: "3s",
///         help: "Time limit of a request")
///     static let table = SettingsTable(
///         environmentPrefix: "GATEWAY_", settings: common.list(with: [upstreamTimeout]))
/// }
///
/// enum Gateway: ServiceProgram {
///     static let name = "api-gateway"
///     static let abstract = "The public API of the key-value store."
///     static let examples = [(command: "api-gateway --listen 127.0.0.1:80", does: "serve on that address")]
///     static let settings = GatewaySettings.table
///     static let common = GatewaySettings.common
///     static func serve(_ settings: ResolvedSettings, _ openFiles: ProcessSetup.OpenFiles) async -> ProgramExit {
///         let timeout: Duration = settings[GatewaySettings.upstreamTimeout]
///         …
///     }
/// }
///
/// @main enum Main {
///     static func main() { ServiceCommand<Gateway>.runProgram() }
/// }
/// ```
public protocol ServiceProgram: Sendable {
    /// The name of the executable.
    static var name: String { get }
    /// A description in one sentence.
    static var abstract: String { get }
    static var examples: [(command: String, does: String)] { get }
    static var settings: SettingsTable { get }
    /// Its settings that both services have; `--listen` is the address that answers `/readyz`.
    static var common: CommonSettings { get }
    /// What `check-config` prints behind the settings: files that they name, which are read for it. Empty for nothing.
    /// - Throws: what is wrong with them.
    static func report(_ settings: ResolvedSettings) throws(ServiceFailure) -> String
    /// Runs the service until it has stopped. The service logs failures and returns them as the exit code.
    /// - Parameter openFiles: the open files of the process and their limit, from ``ProcessSetup/prepare()``.
    static func serve(_ settings: ResolvedSettings, _ openFiles: ProcessSetup.OpenFiles) async -> ProgramExit
}

extension ServiceProgram {
    public static func report(_ settings: ResolvedSettings) throws(ServiceFailure) -> String { "" }
}
