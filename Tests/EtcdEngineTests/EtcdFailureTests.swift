import GRPCCore
import Testing

@testable import EtcdEngine

/// The texts are those of etcd 3.4.23 and grpc-swift-nio-transport 2.9.2; EndToEnd/EtcdFactsTests sees those that can be
/// brought about.
@Suite("A failure of etcd", .timeLimit(.minutes(1)))
struct EtcdFailureTests {
    static let refusals: [(RPCError.Code, String, EtcdFailure.Refusal)] = [
        (.outOfRange, "etcdserver: mvcc: required revision has been compacted", .compacted),
        (.outOfRange, "etcdserver: mvcc: required revision is a future revision", .futureRevision),
        (.resourceExhausted, "etcdserver: mvcc: database space exceeded", .quotaExceeded),
        (.resourceExhausted, "etcdserver: too many requests", .tooManyRequests),
        (.unavailable, "etcdserver: no leader", .noLeader),
        (.notFound, "etcdserver: requested lease not found", .leaseNotFound),
        (.failedPrecondition, "etcdserver: lease already exists", .leaseExists),
        (.unauthenticated, "etcdserver: invalid auth token", .unauthenticated),
        (.invalidArgument, "etcdserver: authentication failed, invalid user ID or password", .unauthenticated),
        (.permissionDenied, "etcdserver: permission denied", .permissionDenied),
        (.invalidArgument, "etcdserver: request is too large", .tooLarge),
        (.resourceExhausted, "grpc: received message larger than max (2200000 vs. 2097152)", .tooLarge),
        (.outOfRange, "too large lease TTL", .invalid),
        (.invalidArgument, "etcdserver: duplicate key given in txn request", .invalid),
    ]

    @Test(arguments: Self.refusals)
    func `that etcd explains is a refusal`(_ code: RPCError.Code, _ text: String, _ refusal: EtcdFailure.Refusal) {
        #expect(EtcdFailure(RPCError(code: code, message: text)) == .refused(refusal, text))
    }

    @Test func `of each kind of refusal is known`() {
        #expect(EtcdFailure.Refusal.allCases.allSatisfy { one in Self.refusals.contains { $0.2 == one } })
    }

    /// The same codes with other texts, among them those of requests that etcd gave up and may carry out later.
    @Test(arguments: [
        (RPCError.Code.unavailable, "etcdserver: request timed out"),
        (.unavailable, "etcdserver: request timed out, possibly due to previous leader failure"),
        (.unavailable, "etcdserver: server stopped"), (.unavailable, "connection closed"),
        (.resourceExhausted, "grpc: something else"), (.outOfRange, "something else"),
        (.deadlineExceeded, "context deadline exceeded"), (.cancelled, ""), (.unknown, ""), (.internalError, ""),
        (.dataLoss, "etcdserver: corrupt cluster"),
    ])
    func `that nobody explains leaves the outcome unknown`(_ code: RPCError.Code, _ text: String) {
        guard case .unknown = EtcdFailure(RPCError(code: code, message: text)) else {
            Issue.record("\(code) \(text) is not unknown")
            return
        }
    }

    @Test(arguments: EtcdFailure.textsOfUnsent)
    func `to connect is no unknown outcome`(_ text: String) {
        #expect(EtcdFailure(RPCError(code: .unavailable, message: text)) == .notSent(text))
        // Only if it is the channel that is not available.
        #expect(EtcdFailure(RPCError(code: .internalError, message: text)) != .notSent(text))
    }

    @Test func `of the network may pass, a mistake does not`() {
        #expect(EtcdFailure.notSent("").mayPass && EtcdFailure.unknown("").mayPass)
        let passing = EtcdFailure.Refusal.allCases.filter { EtcdFailure.refused($0, "").mayPass }
        #expect(passing == [.tooManyRequests, .noLeader])
    }
}
