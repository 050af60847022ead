import AsyncHTTPClient
import Glibc
import JSON
import NIOCore
import NIOHTTP1
import NIOPosix
import SystemSupport
import TransportSecurity

/// One attempt of a request over async-http-client. Any thread.
struct Transport: Sendable {
    /// The largest answer: 128 values with every byte escaped, and more.
    private static let answerLimitBytes = 128 << 20
    /// A watch hears from the service at least every 15 s.
    private static let silenceLimit = TimeAmount.seconds(45)
    /// Watches of one client at a time; further ones wait for a connection.
    private static let mostStreams = 4_096
    /// Shorter than the services keep an idle connection, so that few requests meet one that is being closed.
    private static let idleLimit = TimeAmount.seconds(20)

    /// Scheme, host and port, and the path before those of the service; without a slash at the end.
    let address: String
    private let accessKey: String?
    private let requests: HTTPClient
    /// Apart, so that watches do not take the connections of other requests.
    private let streams: HTTPClient

    /// - Throws: ``KeyValueError/badAddress``, ``KeyValueError/badCertificate``.
    init(
        address: String, connections: Int, connectTimeout: Duration, accessKey: String?, certificates: CertificateFiles
    ) throws(KeyValueError) {
        self.accessKey = accessKey
        let trimmed = address.hasSuffix("/") ? String(address.dropLast()) : address
        let host = ["http://", "https://"].first { trimmed.hasPrefix($0) }.map { trimmed.dropFirst($0.count) }
        guard let host, !host.isEmpty, !host.hasPrefix("/"), !host.contains(where: { "?#@ ".contains($0) }) else {
            throw KeyValueError(
                code: KeyValueError.badAddress,
                detail: "'\(address)' is not the URL of a service, such as http://127.0.0.1:8080.")
        }
        self.address = trimmed
        var configuration = HTTPClient.Configuration()
        configuration.httpVersion = .http1Only
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = .nanoseconds(Int64(clamping: UInt64(connectTimeout / .nanoseconds(1))))
        if trimmed.hasPrefix("https://") {
            do { configuration.tlsConfiguration = try TLSContext.clientConfiguration(certificates) } catch {
                throw KeyValueError(code: KeyValueError.badCertificate, detail: "\(error).")
            }
        }
        // A refused connection is a result at once; ``RetryPolicy`` decides what follows.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.idleTimeout = Self.idleLimit
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        let group = HTTPClient.EventLoopGroupProvider.shared(MultiThreadedEventLoopGroup.singleton)
        self.requests = HTTPClient(eventLoopGroupProvider: group, configuration: configuration)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.mostStreams
        configuration.timeout.read = Self.silenceLimit
        self.streams = HTTPClient(eventLoopGroupProvider: group, configuration: configuration)
    }

    func shutdown() async throws {
        try await self.requests.shutdown()
        try await self.streams.shutdown()
    }

    /// The whole answer.
    ///
    /// - Throws: ``KeyValueError``, or `CancellationError` if the task was cancelled.
    func exchange(
        _ call: Call, basePath: String, requestID: String, deadline: Deadline
    ) async throws -> Answer {
        let request = self.request(call, basePath: basePath, requestID: requestID, deadline: deadline)
        let client = self.requests
        // The client's own deadline ends with the head of the answer: a body that comes byte by byte would never end.
        let attempt = Task {
            let response = try await client.execute(request, deadline: deadline.ofNIO)
            let body = try await response.body.collect(upTo: Self.answerLimitBytes)
            return Answer(
                status: Int(response.status.code), fields: response.headers, body: Array(body.readableBytesView))
        }
        let timer = MultiThreadedEventLoopGroup.singleton.any().scheduleTask(deadline: deadline.ofNIO) {
            attempt.cancel()
        }
        defer { timer.cancel() }
        do {
            return try await withTaskCancellationHandler {
                try await attempt.value
            } onCancel: {
                attempt.cancel()
            }
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw TransportFailure(error, isOver: deadline.isOver).error(isWrite: call.isWrite, requestID: requestID)
        }
    }

    /// The head of an answer, and its body as it comes.
    ///
    /// - Throws: as ``exchange(_:basePath:requestID:deadline:)``.
    func stream(_ call: Call, basePath: String, deadline: Deadline) async throws -> HTTPClientResponse {
        let requestID = Token.next()
        let request = self.request(call, basePath: basePath, requestID: requestID, deadline: nil)
        do {
            return try await self.streams.execute(request, deadline: deadline.ofNIO)
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw TransportFailure(error, isOver: deadline.isOver).error(isWrite: false, requestID: requestID)
        }
    }

    private func request(
        _ call: Call, basePath: String, requestID: String, deadline: Deadline?
    ) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: self.address + call.target(basePath: basePath))
        request.method = HTTPMethod(rawValue: call.method.rawValue)
        request.headers.add(name: "X-Request-Id", value: requestID)
        if let deadline {
            // At least 1: by the time that 0 arrives there is an answer already.
            let milliseconds = max(1, deadline.remainingNanoseconds / 1_000_000)
            request.headers.add(name: "X-Request-Timeout-Ms", value: "\(min(milliseconds, 9_999_999_999))")
        }
        if let key = call.idempotencyKey, !key.isEmpty { request.headers.add(name: "Idempotency-Key", value: key) }
        for (name, value) in call.fields { request.headers.add(name: name, value: value) }
        // A backup may have a token of its own.
        if let accessKey = self.accessKey, !request.headers.contains(name: "Authorization") {
            request.headers.add(name: "Authorization", value: "Bearer \(accessKey)")
        }
        if let body = call.body { request.body = .bytes(ByteBuffer(bytes: body)) }
        return request
    }
}

/// Why a request got no answer.
enum TransportFailure: Equatable {
    /// There was no connection: nothing was sent.
    case connect(String)
    /// The connection broke: the request may have arrived.
    case lost(String)
    /// Nothing came in time: the request may have arrived.
    case timeout
    /// The request cannot be sent at all.
    case invalid(String)

    /// - Parameter isOver: whether the time of the operation is over: whatever else failed then failed because of that.
    init(_ error: any Error, isOver: Bool) {
        if let failure = HandshakeFailure(error) {
            self = .connect("\(failure)")
            return
        }
        switch error {
        case let error as NIOConnectionError: self = .connect(Self.text(error))
        // These come from `connect` and `socket` only, never from a connection that there is.
        case let error as IOError where [ECONNREFUSED, EADDRNOTAVAIL, EMFILE, ENFILE].contains(error.errnoCode):
            self = .connect(ErrorNumber.text(error.errnoCode))
        case ChannelError.connectTimeout: self = .connect("connecting took too long")
        case let error as HTTPClientError: self.init(error, isOver: isOver)
        case _ where isOver: self = .timeout
        case let error as IOError: self = .lost(ErrorNumber.text(error.errnoCode))
        case is NIOTooManyBytesError: self = .lost("the answer is too large")
        default: self = .lost("\(error)")
        }
    }

    private init(_ error: HTTPClientError, isOver: Bool) {
        switch error {
        case .connectTimeout, .getConnectionFromPoolTimeout, .tlsHandshakeTimeout:
            self = .connect("connecting took too long")
        case .invalidURL, .emptyHost, .emptyScheme: self = .invalid("the address is not a URL")
        case .deadlineExceeded, .readTimeout: self = .timeout
        case _ where isOver: self = .timeout
        case .remoteConnectionClosed: self = .lost("the service closed the connection")
        default: self = .lost(error.shortDescription)
        }
    }

    private static func text(_ error: NIOConnectionError) -> String {
        if let first = error.connectionErrors.first?.error {
            if let error = first as? IOError { return ErrorNumber.text(error.errnoCode) }
            if let failure = HandshakeFailure(first) { return "\(failure)" }
            return first is ChannelError ? "connecting took too long" : "\(first)"
        }
        return error.dnsAError != nil || error.dnsAAAAError != nil ? "unknown host" : "no connection"
    }

    func error(isWrite: Bool, requestID: String) -> KeyValueError {
        switch self {
        case .connect(let reason):
            KeyValueError(
                code: KeyValueError.cannotConnect, detail: "The service cannot be reached: \(reason).",
                applied: isWrite ? .no : nil)
        case .lost(let reason):
            KeyValueError(
                code: KeyValueError.connectionLost, detail: "The connection broke before the answer: \(reason).",
                requestID: requestID, applied: isWrite ? .unknown : nil)
        case .timeout:
            KeyValueError(
                code: KeyValueError.timeout, detail: "There was no answer within the timeout.",
                requestID: requestID, applied: isWrite ? .unknown : nil)
        case .invalid(let reason):
            KeyValueError(
                code: KeyValueError.badAddress, detail: "The request cannot be sent: \(reason).",
                applied: isWrite ? .no : nil)
        }
    }
}

/// Texts that no two requests share: 128 random bits.
enum Token {
    static func next() -> String {
        HexDigits.text(UInt64.random(in: 0 ... .max)) + HexDigits.text(UInt64.random(in: 0 ... .max))
    }
}
