import ArgumentParser
import KeyValueClient
import ServiceSettings
import Synchronization
import SystemSupport

/// The options that all commands have.
struct ConnectionOptions: ParsableArguments {
    static let defaultServer = "http://127.0.0.1:8080"
    static let serverVariable = "KVCTL_SERVER"
    static let accessKeyVariable = "KVCTL_ACCESS_KEY_FILE"
    static let authoritiesVariable = "KVCTL_TLS_CA_FILE"
    static let certificateVariable = "KVCTL_TLS_CERT_FILE"
    static let privateKeyVariable = "KVCTL_TLS_KEY_FILE"

    @Option(
        help: ArgumentHelp(
            "Address of a kv-service or api-gateway (default: \(defaultServer)) [\(serverVariable)]", valueName: "url"))
    var server: String?

    @Option(
        help: ArgumentHelp(
            "File with the access key by which the service knows its client, if it has access keys; - asks for it "
                + "on the terminal [\(accessKeyVariable)]",
            valueName: "file"),
        completion: .file())
    var accessKeyFile: String?

    @Option(
        help: ArgumentHelp(
            "For https: PEM file with the authorities to trust (default: those of the system) [\(authoritiesVariable)]",
            valueName: "file"),
        completion: .file())
    var tlsCAFile: String?

    @Option(
        help: ArgumentHelp(
            "For https: PEM file with the certificate to show [\(certificateVariable)]", valueName: "file"),
        completion: .file())
    var tlsCertFile: String?

    @Option(
        help: ArgumentHelp(
            "For https: PEM file with the private key of that certificate [\(privateKeyVariable)]", valueName: "file"),
        completion: .file())
    var tlsKeyFile: String?

    @Option(
        help: ArgumentHelp(
            "For each operation with all its attempts, such as 500ms or 1m (default: 10s).", valueName: "duration"),
        transform: { try ConnectionOptions.duration($0, in: .milliseconds(1)...(.seconds(86_400))) })
    var timeout = Duration.seconds(10)

    @Flag(help: "Results and errors as JSON, one object per line.")
    var json = false

    static func duration(_ text: String, in bounds: ClosedRange<Duration>) throws -> Duration {
        let kind = SettingKind<Duration>.duration(in: bounds)
        guard let duration = kind.parse(text) else { throw ValidationError("'\(text)' is not \(kind.expectation)") }
        return duration
    }

    func accessKey() throws -> String? {
        guard let path = Self.path(self.accessKeyFile, Self.accessKeyVariable) else { return nil }
        do { return try ClientSecret.read(path) } catch { throw CommandFailure(.failure, "\(path) \(error)") }
    }

    /// The value of an option, or of a variable in its place; nil if both are missing or empty.
    private static func path(_ option: String?, _ variable: String) -> String? {
        let path = option ?? ProcessEnvironment.current[variable] ?? ""
        return path.isEmpty ? nil : path
    }

    /// What the client is to trust and to show.
    func setCertificates(of configuration: inout StoreClient.Configuration) {
        configuration.authoritiesFile = Self.path(self.tlsCAFile, Self.authoritiesVariable)
        configuration.certificateFile = Self.path(self.tlsCertFile, Self.certificateVariable)
        configuration.privateKeyFile = Self.path(self.tlsKeyFile, Self.privateKeyVariable)
    }

    var address: String { self.server ?? ProcessEnvironment.current[Self.serverVariable] ?? Self.defaultServer }
}

/// A command that sends requests.
protocol ClientCommand: ParsableCommand {
    var connection: ConnectionOptions { get }
    /// Attempts of each operation.
    var maxAttempts: Int { get }

    func run(_ session: Session) throws
}

extension ClientCommand {
    /// A person who waits wants to know soon that there is no service.
    var maxAttempts: Int { 3 }

    func run() throws {
        do {
            let session = try Session(self.connection, maxAttempts: self.maxAttempts)
            let result = Result { try self.run(session) }
            try session.wait { try await $0.shutdown() }
            try result.get()
        } catch let error as KeyValueError {
            throw CommandFailure(error, isJSON: self.connection.json)
        }
    }
}

/// A client for a program whose main thread may block.
struct Session {
    let client: StoreClient
    let isJSON: Bool

    init(_ options: ConnectionOptions, maxAttempts: Int) throws {
        if let obstacle = ProcessSetup.obstacle { throw CommandFailure(.failure, obstacle) }
        var configuration = StoreClient.Configuration()
        configuration.timeout = options.timeout
        configuration.accessKey = try options.accessKey()
        options.setCertificates(of: &configuration)
        configuration.maxAttempts = maxAttempts
        configuration.connections = ImportCommand.mostParallel
        self.client = try StoreClient(options.address, configuration: configuration)
        self.isJSON = options.json
    }

    /// Calls `body` in a task, and blocks this thread until it has ended.
    func wait<Result: Sendable>(
        _ body: @escaping @Sendable (StoreClient) async throws -> Result
    ) throws -> Result {
        let client = self.client
        let ending = Ending<Result>()
        Task {
            do { ending.end(.success(try await body(client))) } catch { ending.end(.failure(error)) }
        }
        return try ending.wait().get()
    }
}

/// The result of a task, for a thread that waits for it.
private final class Ending<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)
    private let hasEnded = MonotonicSemaphore()

    func end(_ result: Result<Value, any Error>) {
        self.result.withLock { $0 = result }
        self.hasEnded.signal()
    }

    func wait() -> Result<Value, any Error> {
        self.hasEnded.wait()
        guard let result = self.result.withLock({ $0 }) else { preconditionFailure("a signal without a result") }
        return result
    }
}
