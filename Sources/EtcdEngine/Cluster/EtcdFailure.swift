import GRPCCore

/// Why a request to etcd has no answer.
public enum EtcdFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// etcd did not carry it out, and says why.
    case refused(Refusal, String)
    /// It did not reach a member: none can be connected to.
    case notSent(String)
    /// It may have been carried out.
    case unknown(String)

    /// The refusals that the engine tells apart; their texts are those of etcd 3.4 to 3.6.
    public enum Refusal: Sendable, Equatable, CaseIterable {
        /// The revision is older than those that are kept.
        case compacted
        case futureRevision
        /// The database is as large as its quota.
        case quotaExceeded
        case tooManyRequests
        /// The member has no leader, and would not get an answer.
        case noLeader
        case leaseNotFound, leaseExists
        /// The credentials are wrong, or the token is too old.
        case unauthenticated
        case permissionDenied
        case tooLarge
        /// A mistake of the engine: a key twice, too many operations, no key.
        case invalid
    }

    /// - Parameter error: what a call has thrown.
    init(_ error: any Error) {
        guard let error = error as? RPCError else {
            self = .unknown("\(error)")
            return
        }
        let text = error.message
        if error.code == .unavailable, Self.wasNotSent(text) {
            self = .notSent(error.cause.map { "\(text) \($0)" } ?? text)
        } else if let refusal = Self.refusal(error.code, text) {
            self = .refused(refusal, text)
        } else {
            self = .unknown("\(error.code): \(text)")
        }
    }

    /// Whether another member may answer a request that changes nothing, or this one later.
    var mayPass: Bool {
        switch self {
        case .notSent, .unknown: true
        case .refused(let refusal, _): refusal == .noLeader || refusal == .tooManyRequests
        }
    }

    /// The beginnings of the texts of errors that come before a stream is opened, in grpc-swift-nio-transport 2.9.
    static let textsOfUnsent = [
        "Could not establish a connection to ",
        "The server accepted the TCP connection but closed the connection before",
        "Channel is in a transient failure state", "Channel isn't ready", "Channel is shutting down",
        "channel is shutdown",
        "subchannel isn't ready", "subchannel is unavailable",
    ]

    private static func wasNotSent(_ text: String) -> Bool { self.textsOfUnsent.contains { text.hasPrefix($0) } }

    private static func refusal(_ code: RPCError.Code, _ text: String) -> Refusal? {
        switch (code, text) {
        case (.outOfRange, "etcdserver: mvcc: required revision has been compacted"): .compacted
        case (.outOfRange, "etcdserver: mvcc: required revision is a future revision"): .futureRevision
        case (.resourceExhausted, "etcdserver: mvcc: database space exceeded"): .quotaExceeded
        case (.resourceExhausted, "etcdserver: too many requests"): .tooManyRequests
        case (.unavailable, "etcdserver: no leader"): .noLeader
        case (.notFound, "etcdserver: requested lease not found"): .leaseNotFound
        case (.failedPrecondition, "etcdserver: lease already exists"): .leaseExists
        case (.unauthenticated, _),
            (.invalidArgument, "etcdserver: authentication failed, invalid user ID or password"):
            .unauthenticated
        case (.permissionDenied, _): .permissionDenied
        case (.invalidArgument, "etcdserver: request is too large"): .tooLarge
        // Of etcd's gRPC, before anything else sees it.
        case (.resourceExhausted, _) where text.hasPrefix("grpc: received message larger than max"): .tooLarge
        case (.outOfRange, "too large lease TTL"), (.outOfRange, "etcdserver: too large lease TTL"): .invalid
        case (.invalidArgument, _): .invalid
        default: nil
        }
    }

    public var description: String {
        switch self {
        case .refused(_, let text): text
        case .notSent(let text): "no connection to etcd: \(text)"
        case .unknown(let text): "it is unknown whether etcd carried it out: \(text)"
        }
    }
}
