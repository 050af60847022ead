public import ServiceSettings
public import SystemSupport

/// What distinguishes one service's program from another's; ``ServiceCommand`` builds the command line from it.
///
/// ```swift
/// enum GatewaySettings {
///     static let listen = Setting("listen", .listenAddress, default: "127.0.0.1:8080", help: "Address to serve on")
///     static let upstreamTimeout = Setting(
///         "upstream-timeout", .duration(in: .milliseconds(1) ... .seconds(60)), default: "3s",
///         help: "Time limit of a request")
///     static let adminTokenFile = Setting<String?>(optional: "admin-token-file", .filePath, help: "…")
///     static let table = SettingsTable(
///         environmentPrefix: "GATEWAY_", settings: [listen, upstreamTimeout, adminTokenFile])
/// }
///
/// enum Gateway: ServiceProgram {
///     static let name = "api-gateway"
///     static let abstract = "The public API of the key-value store."
///     static let examples = [(command: "api-gateway --listen 0.0.0.0:8080", does: "serve on all interfaces")]
///     static let settings = GatewaySettings.table
///     static let listen = GatewaySettings.listen
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
    /// The setting whose address answers `/readyz`.
    static var listen: Setting<ListenAddress> { get }
    /// Runs the service until it has stopped. The service logs failures and returns them as the exit code.
    /// - Parameter openFiles: the open files of the process and their limit, from ``ProcessSetup/prepare()``.
    static func serve(_ settings: ResolvedSettings, _ openFiles: ProcessSetup.OpenFiles) async -> ProgramExit
}
