import JSON
import Synchronization
import SystemSupport
import TransportSecurity

/// A client of one kv-service or api-gateway. Any thread, any number of operations at a time.
///
/// Each operation has a total timeout, within which it makes further attempts if that is safe. A write carries an
/// idempotency key that it makes itself, so an attempt whose answer was lost can be repeated without being carried out
/// twice: within five minutes, as the services keep the keys of ten, and as long as others have not made 100,000 newer ones
/// meanwhile. All errors are ``KeyValueError``, or `CancellationError` if the task is cancelled; a write that is cancelled
/// may have been carried out.
///
/// Call ``shutdown()`` before the last reference goes away, or use ``with(_:configuration:_:)``.
public final class StoreClient: Sendable {
    public struct Configuration: Sendable {
        /// For an operation with all its attempts. The service does not carry out a write that it receives later.
        public var timeout: Duration = .seconds(10)
        /// For one attempt to connect.
        public var connectTimeout: Duration = .seconds(2)
        /// The first one included. By default only the timeout ends them.
        public var maxAttempts = Int.max
        /// Connections to the service, and so requests at a time; further ones wait. Each watch has one more.
        public var connections = 32
        /// Where the operations are, such as `/kv` or `/api`; nil: the client asks the service once.
        public var basePath: String?
        /// Whether a write without an idempotency key of the caller gets one. Without, a write whose answer was lost is
        /// not repeated.
        public var makesIdempotencyKeys = true
        /// By which the service knows the client, if it has access keys; sent with each request.
        public var accessKey: String?
        /// For `https` addresses: PEM file with the authorities to trust; nil for those of the system.
        public var authoritiesFile: String?
        /// For `https` addresses: PEM files with the certificate to show, and its private key; nil for none.
        public var certificateFile: String?
        public var privateKeyFile: String?

        public init() {}
    }

    let configuration: Configuration
    let transport: Transport
    private let detectedBasePath = Mutex<String?>(nil)

    /// - Parameter address: of the service, such as `http://127.0.0.1:8080`.
    /// - Throws: ``KeyValueError/badAddress``, ``KeyValueError/badCertificate``.
    public init(_ address: String, configuration: Configuration = Configuration()) throws(KeyValueError) {
        self.configuration = configuration
        self.transport = try Transport(
            address: address, connections: configuration.connections, connectTimeout: configuration.connectTimeout,
            accessKey: configuration.accessKey,
            certificates: CertificateFiles(
                certificate: configuration.certificateFile, privateKey: configuration.privateKeyFile,
                authorities: configuration.authoritiesFile))
    }

    /// Closes the connections. Operations in progress fail.
    public func shutdown() async throws { try await self.transport.shutdown() }

    /// Calls `body` with a client that is shut down afterwards.
    public static func with<Result: Sendable>(
        _ address: String, configuration: Configuration = Configuration(),
        _ body: (StoreClient) async throws -> Result
    ) async throws -> Result {
        let client = try StoreClient(address, configuration: configuration)
        let result: Result
        do { result = try await body(client) } catch {
            try await client.shutdown()
            throw error
        }
        try await client.shutdown()
        return result
    }

    // MARK: Attempts

    /// Carries out a call within the timeout.
    ///
    /// - Returns: an answer with a status from 200 to 299.
    func perform(_ call: Call) async throws -> Answer {
        let deadline = Deadline(after: self.configuration.timeout)
        return try await self.perform(call, basePath: try await self.basePath(deadline), deadline)
    }

    private func perform(_ call: Call, basePath: String, _ deadline: Deadline) async throws -> Answer {
        if let key = call.idempotencyKey { try Self.check(key) }
        var policy = RetryPolicy(maxAttempts: self.configuration.maxAttempts)
        let begin = MonotonicClock.nanoseconds()
        // An attempt that got no answer can still be carried out: a later refusal does not make that undone.
        var mayBeApplied = false
        while true {
            var failure: KeyValueError
            do throws(KeyValueError) {
                let answer = try await self.attempt(call, basePath, deadline)
                if answer.isSuccess { return answer }
                failure = KeyValueError(answer, to: call)
            } catch { failure = error }
            try Task.checkCancellation()
            if failure.applied == .unknown { mayBeApplied = true }
            if mayBeApplied, !failure.isDecision { failure.applied = .unknown }
            let pause = policy.pause(
                after: failure, hasKey: call.hasKey, elapsedNanoseconds: MonotonicClock.nanoseconds() - begin,
                remainingNanoseconds: deadline.remainingNanoseconds, jitter: .random(in: 0...1))
            guard let pause else { throw failure }
            try await Pause.wait(nanoseconds: pause)
        }
    }

    /// - Throws: a cancellation as an error that is not attempted again; the caller checks for it.
    private func attempt(
        _ call: Call, _ basePath: String, _ deadline: Deadline
    ) async throws(KeyValueError) -> Answer {
        do {
            return try await self.transport.exchange(
                call, basePath: basePath, requestID: Token.next(), deadline: deadline)
        } catch let error as KeyValueError {
            throw error
        } catch {
            throw KeyValueError(
                code: KeyValueError.timeout, detail: "The operation was cancelled.",
                applied: call.isWrite ? .unknown : nil)
        }
    }

    private static func check(_ key: String) throws(KeyValueError) {
        guard key.utf8.count <= 128, key.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            throw KeyValueError(
                code: "bad_idempotency_key",
                detail: "An idempotency key has 1 to 128 visible ASCII characters; nothing was sent.", applied: .no)
        }
    }

    /// The key of a write: the caller's, or a new one.
    func idempotencyKey(_ given: String?) -> String {
        given ?? (self.configuration.makesIdempotencyKeys ? Token.next() : "")
    }

    // MARK: The service

    /// Where the operations are.
    func basePath(_ deadline: Deadline) async throws -> String {
        if let path = self.configuration.basePath { return path }
        if let path = self.detectedBasePath.withLock({ $0 }) { return path }
        return try await self.index(deadline).basePath
    }

    private func index(_ deadline: Deadline) async throws -> (service: String, version: String, basePath: String) {
        let answer = try await self.perform(Call(method: .get), basePath: "", deadline)
        let index = try answer.document { document -> (service: String, version: String, basePath: String)? in
            let paths = (document["endpoints"]?.elements ?? []).compactMap { $0["path"]?.string }
            guard let service = document["service"]?.string, let version = document["version"]?.string,
                let path = paths.first(where: { $0.hasSuffix("/set") })
            else { return nil }
            return (service, version, String(path.dropLast("/set".count)))
        }
        self.detectedBasePath.withLock { $0 = index.basePath }
        return index
    }

    /// What the service says about itself. A service that is not ready is no error.
    public func status() async throws -> ServiceStatus {
        let deadline = Deadline(after: self.configuration.timeout)
        let index = try await self.index(deadline)
        let call = Call(method: .get, root: "/readyz")
        let answer = try await self.attempt(call, "", deadline)
        try Task.checkCancellation()
        guard answer.isSuccess || answer.status == 503 else { throw KeyValueError(answer, to: call) }
        return try answer.document { document in
            guard document["status"]?.string != nil else { return nil }
            return ServiceStatus(
                service: index.service, version: index.version, basePath: index.basePath,
                isReady: answer.isSuccess, state: document["state"]?.string, serving: document["serving"]?.string,
                reason: document["reason"]?.string)
        }
    }
}
