public import AccessControl
import Glibc
import HTTP1
public import PrometheusMetrics
public import RequestTracing
public import ServiceSettings
public import TransportSecurity

/// What watches the servers of a service: it counts, logs and traces what they do. One for all listeners; any thread.
///
/// The server knows no more of it than this, so what is made of a request lies above the server.
public protocol ServerObserver: Sendable {
    /// Which of the traces that begin here are recorded; nil if none is.
    var sampler: TraceSampler? { get }

    /// A client has connected.
    func connectionAccepted()

    /// A connection above the limit was answered 503, or closed at once.
    func connectionRejected()

    /// No connection could be accepted; the listener tries again.
    func acceptFailed()

    /// The observer of one event loop. Called once for each loop, on that loop.
    func makeLoopObserver() -> any RequestObserver
}

/// What watches the requests of one event loop. Called on that loop only.
///
/// A request costs one call, ``answered(_:_:)``; the loop itself counts what is under way. So the connection,
/// the routes and their actions need not be generic over it.
public protocol RequestObserver: AnyObject {
    /// What the loop counts, for everyone to read.
    var counters: LoopCounters { get }

    /// The number of a handler, by which ``RouteEntry/handlerIndex`` names it.
    func index(ofHandler handler: String) -> Int

    /// A request was answered.
    func answered(_ request: HTTPRequest, _ answer: AnswerFigures)

    /// The loop has handled what was ready. Called after each turn in which requests were answered.
    func turnEnded()

    /// A client's TLS handshake has ended: nil, or why there is no connection.
    func handshakeEnded(failure: HandshakeFailure.Kind?)

    /// A connection was closed while bytes of its answers waited for room in the socket.
    func responseCut(_ reason: ResponseCut)

    /// Called several times a second.
    ///
    /// - Parameter now: monotonic nanoseconds.
    func sweep(now: UInt64)
}

/// The figures of one answer.
public struct AnswerFigures {
    public let status: UInt
    /// 0 for the answer to a `HEAD`.
    public let bodyBytes: Int
    /// Monotonic nanoseconds.
    public let answeredAtNanoseconds: UInt64
    /// Wall clock minus monotonic clock.
    public let wallClockOffset: UInt64

    public init(status: UInt, bodyBytes: Int, answeredAtNanoseconds: UInt64, wallClockOffset: UInt64) {
        self.status = status
        self.bodyBytes = bodyBytes
        self.answeredAtNanoseconds = answeredAtNanoseconds
        self.wallClockOffset = wallClockOffset
    }
}

/// The client of a connection.
///
/// It is the peer, or the client whose request a trusted proxy sends on.
public struct ConnectionClient {
    /// Address and port, which is 0 for the client of a proxy; empty if they are not known.
    public private(set) var address: String
    /// Nil if it is not known.
    public private(set) var ipAddress: IPAddress?
    /// Whether it is on this host's loopback interface.
    private(set) var isLoopback: Bool
    /// Address and port of the proxy that has sent the current request; nil without one.
    public private(set) var proxyAddress: String?
    /// The peer, if it is a trusted proxy.
    private let proxy: Peer?
    private struct Peer {
        let address: String
        let ipAddress: IPAddress
        let isLoopback: Bool
    }

    /// `User-Agent` of the current request.
    private var userAgentBytes: [UInt8] = []
    public private(set) var isHTTP11 = true
    /// What the observer has made of the client, for all requests until one has another `User-Agent` or version of HTTP;
    /// empty until it is made.
    public var note: [UInt8] = []
    /// Whose access key the current request has; nil if it has none that is known.
    public private(set) var entry: AccessEntry?
    /// The `Authorization` with which the entry was found, and the version of the table.
    private var authorization: [UInt8] = []
    private var tableVersion: UInt64 = 0
    /// The observer's counter of the requests with this access key; nil until there is one.
    public var counter: Counter?

    /// - Parameter isTrustedProxy: whether it is believed for whom it sends requests on.
    public init(
        address: String = "", ipAddress: IPAddress? = nil, isLoopback: Bool = false, isTrustedProxy: Bool = false
    ) {
        self.address = address
        self.ipAddress = ipAddress
        self.isLoopback = isLoopback
        self.proxy = ipAddress.flatMap { ipAddress in
            isTrustedProxy ? Peer(address: address, ipAddress: ipAddress, isLoopback: isLoopback) : nil
        }
    }

    var isTrustedProxy: Bool { self.proxy != nil }

    /// The next request of a trusted proxy has come, for this client; nil if it says none.
    mutating func take(forwardedFor client: IPAddress?) {
        guard let proxy = self.proxy, self.ipAddress != client ?? proxy.ipAddress else { return }
        self.ipAddress = client ?? proxy.ipAddress
        self.address = client.map { "\($0):0" } ?? proxy.address
        self.isLoopback = proxy.isLoopback && client?.isLoopback ?? true
        self.proxyAddress = client == nil ? nil : proxy.address
        self.note = []
    }

    public var userAgent: String { String(decoding: self.userAgentBytes, as: UTF8.self) }

    /// The next request has come.
    mutating func take(userAgent: Span<UInt8>, isHTTP11: Bool) {
        if isHTTP11 == self.isHTTP11, self.hasUserAgent(userAgent) { return }
        self.isHTTP11 = isHTTP11
        // The pointer is used only for this copy.
        self.userAgentBytes = unsafe userAgent.withUnsafeBufferPointer { unsafe Array($0) }
        self.note = []
    }

    /// The next request has come, with this `Authorization`, or an empty one for none.
    mutating func take(authorization: Span<UInt8>, _ keys: AccessKeys) {
        // Nearly always that of the request before; in constant time, because that can be another client's behind a proxy.
        if self.entry != nil, self.tableVersion == keys.version,
            ConstantTime.isEqual(authorization, self.authorization.span)
        {
            return
        }
        let table = keys.table
        self.tableVersion = table.version
        let entry = Self.digest(authorization).flatMap(table.entry)
        // The pointer is used only for this copy.
        self.authorization = entry == nil ? [] : unsafe authorization.withUnsafeBufferPointer { unsafe Array($0) }
        if entry === self.entry { return }
        self.set(entry)
    }

    /// The table has been replaced: finds the entry again.
    ///
    /// - Returns: false if the new table has none for the access key, or one that permits other keys.
    mutating func findAgain(_ keys: AccessKeys) -> Bool {
        guard let entry = self.entry else { return false }
        if self.tableVersion == keys.version { return true }
        let table = keys.table
        guard let found = table.entry(for: entry.digest), found.prefixes == entry.prefixes else { return false }
        self.tableVersion = table.version
        self.set(found)
        return true
    }

    /// The next request has come, and cannot be read.
    mutating func forgetAccessKey() { if self.entry != nil { self.set(nil) } }

    mutating func set(_ entry: AccessEntry?) {
        self.entry = entry
        self.counter = nil
        self.note = []
    }

    /// That of the access key in `Bearer <access key>`; nil if there is none.
    private static func digest(_ authorization: Span<UInt8>) -> AccessDigest? {
        var begin = "bearer".utf8.count
        guard authorization.count > begin, ASCII.equal(authorization.extracting(0..<begin), "bearer"),
            authorization[begin] == UInt8(ascii: " ")
        else { return nil }
        while begin < authorization.count, authorization[begin] == UInt8(ascii: " ") { begin += 1 }
        return AccessDigest(ofKey: authorization.extracting(begin..<authorization.count))
    }

    private func hasUserAgent(_ userAgent: Span<UInt8>) -> Bool {
        guard userAgent.count == self.userAgentBytes.count else { return false }
        // Both are compared within their common length.
        return unsafe userAgent.withUnsafeBytes { bytes in
            guard let bytes = bytes.baseAddress else { return true }
            return unsafe memcmp(bytes, self.userAgentBytes, self.userAgentBytes.count) == 0
        }
    }
}

/// Why a connection was closed before its client had its answers.
public enum ResponseCut: String, CaseIterable, Sendable {
    /// The client read nothing for too long.
    case writeTimeout = "write_timeout"
    /// The time limit of a graceful stop had passed.
    case stopping
    /// The access key of a request that waited was removed or has expired, or permits less now.
    case accessEnded = "access_ended"
}
