import Glibc
import Synchronization
import TestSupport

/// kv-service and, unless a test wants none, api-gateway in front of it, on free ports and with a folder of their own.
final class Services: Sendable {
    let folder: TemporaryFolder
    let kv: ServiceProcess
    let kvPort: UInt16
    let gateway: ServiceProcess?
    let gatewayPort: UInt16

    /// Starts both and waits until they are ready.
    ///
    /// - Parameter folder: with the data of services that ran before.
    init(
        folder: TemporaryFolder? = nil,
        kvArguments: [String] = [],
        gatewayArguments: [String] = [],
        withGateway: Bool = true
    ) throws {
        let folder = folder ?? TemporaryFolder()
        self.folder = folder
        self.kv = try Self.startKV(in: folder, kvArguments)
        self.kvPort = try self.kv.waitForPort()
        try self.kv.waitUntilReady(port: self.kvPort)
        guard withGateway else {
            self.gateway = nil
            self.gatewayPort = 0
            return
        }
        let gateway = try Self.startGateway(in: folder, upstreamPort: self.kvPort, gatewayArguments)
        self.gateway = gateway
        self.gatewayPort = try gateway.waitForPort()
        try gateway.waitUntilReady(port: self.gatewayPort)
    }

    /// Starts both, with strace making the `fdatasync` of kv-service slow or fail.
    ///
    /// - Parameter injection: of strace, such as `delay_enter=20000` or `error=EIO:when=40+`.
    init(folder: TemporaryFolder? = nil, injectingIntoSyncs injection: String) throws {
        let folder = folder ?? TemporaryFolder()
        self.folder = folder
        self.kv = try Self.startKV(
            in: folder,
            wrapper: [
                "/usr/bin/strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e",
                "inject=fdatasync:\(injection)",
            ])
        self.kvPort = try self.kv.waitForPort()
        try self.kv.waitUntilReady(port: self.kvPort)
        let gateway = try Self.startGateway(in: folder, upstreamPort: self.kvPort)
        self.gateway = gateway
        self.gatewayPort = try gateway.waitForPort()
        try gateway.waitUntilReady(port: self.gatewayPort)
    }

    static func startKV(
        in folder: TemporaryFolder,
        _ arguments: [String] = [],
        listen: String = "127.0.0.1:0",
        environment: [String: String] = [:],
        wrapper: [String] = []
    ) throws -> ServiceProcess {
        try ServiceProcess(
            .kvService,
            ["--listen", listen, "--data-dir", folder.file("kv"), "--segment-bytes", "4MiB"]
                + Self.engineArguments(in: folder) + arguments,
            output: folder.file("kv-service-\(Self.nextNumber()).log"),
            environment: environment,
            wrapper: wrapper
        )
    }

    /// With `TEST_ETCD_ENDPOINTS` in the environment, the services of a folder have a store of their own in that cluster.
    private static func engineArguments(in folder: TemporaryFolder) -> [String] {
        guard let endpoints = getenv("TEST_ETCD_ENDPOINTS") else { return [] }
        return [
            "--engine", "etcd", "--etcd-endpoints", String(cString: endpoints), "--etcd-prefix", "test\(folder.path)/",
        ]
    }

    static func startGateway(
        in folder: TemporaryFolder,
        upstreamPort: UInt16,
        _ arguments: [String] = [],
        listen: String = "127.0.0.1:0"
    ) throws -> ServiceProcess {
        try ServiceProcess(
            .apiGateway,
            ["--listen", listen, "--upstream", "http://127.0.0.1:\(upstreamPort)"] + arguments,
            output: folder.file("api-gateway-\(Self.nextNumber()).log")
        )
    }

    /// Each start has a log file of its own.
    private static func nextNumber() -> Int {
        self.starts.wrappingAdd(1, ordering: .relaxed).newValue
    }

    private static let starts = Atomic<Int>(0)

    /// Stops the gateway, then kv-service; both endings.
    func stop() throws -> [Ending] {
        try [self.gateway?.stop(), self.kv.stop()].compactMap { $0 }
    }
}

extension KeyValueClient {
    init(_ services: Services, through front: Front) throws {
        try self.init(port: front == .kvService ? services.kvPort : services.gatewayPort, through: front)
    }
}
