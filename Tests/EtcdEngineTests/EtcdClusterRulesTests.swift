import GRPCCore
import Synchronization
import Testing

@testable import EtcdEngine

/// To which members a request goes, and how often. Nothing is connected: what a call does is given.
@Suite("A request to an etcd cluster", .timeLimit(.minutes(1)))
struct EtcdClusterRulesTests {
    private static let lost = RPCError(code: .unavailable, message: "Stream unexpectedly closed.")
    private static let unsent = RPCError(code: .unavailable, message: "subchannel isn't ready")
    private static let noLeader = RPCError(code: .unavailable, message: "etcdserver: no leader")
    private static let compacted = RPCError(
        code: .outOfRange, message: "etcdserver: mvcc: required revision has been compacted")

    /// The ports of the members that were asked, in order.
    private final class Asked: Sendable {
        private let ports = Mutex<[Int]>([])
        var all: [Int] { self.ports.withLock { $0 } }

        /// Answers the call of this number, from 0 on, or throws what `errors` has for it; the last one for all others.
        func answer(_ call: EtcdCluster.Call, _ errors: [RPCError?]) throws -> Int {
            let number = self.ports.withLock { ports in
                ports.append(call.member.endpoint.port)
                return ports.count - 1
            }
            if let error = errors[min(number, errors.count - 1)] { throw error }
            return number
        }
    }

    private func cluster() throws -> EtcdCluster {
        var limits = EtcdCluster.Limits()
        limits.pause = .milliseconds(1)
        return try EtcdCluster([1, 2, 3].compactMap { EtcdEndpoint("127.0.0.1:\($0)") }, limits: limits)
    }

    private var soon: ContinuousClock.Instant { .now + .seconds(30) }

    @Test(arguments: [Self.lost, Self.unsent, Self.noLeader])
    func `to read is sent to the next member, and to that one from then on`(_ error: RPCError) async throws {
        let (cluster, asked) = (try self.cluster(), Asked())
        #expect(try await cluster.read(until: self.soon) { try asked.answer($0, [error, nil]) } == 1)
        _ = try await cluster.read(until: self.soon) { try asked.answer($0, [nil]) }
        #expect(asked.all == [1, 2, 2])
    }

    @Test func `to read goes round until one answers`() async throws {
        let (cluster, asked) = (try self.cluster(), Asked())
        let errors = [RPCError?](repeating: Self.lost, count: 4) + [nil]
        #expect(try await cluster.read(until: self.soon) { try asked.answer($0, errors) } == 4)
        #expect(asked.all == [1, 2, 3, 1, 2])
    }

    @Test func `that is refused for good is asked once`() async throws {
        let (cluster, asked) = (try self.cluster(), Asked())
        let refused = EtcdFailure.refused(.compacted, Self.compacted.message)
        await #expect(throws: refused) {
            try await cluster.read(until: self.soon) { try asked.answer($0, [Self.compacted]) }
        }
        await #expect(throws: refused) {
            try await cluster.write(until: self.soon) { try asked.answer($0, [Self.compacted]) }
        }
        #expect(asked.all == [1, 1])
    }

    @Test func `to write that may have been carried out is never sent again`() async throws {
        let (cluster, asked) = (try self.cluster(), Asked())
        await #expect(throws: EtcdFailure(Self.lost)) {
            try await cluster.write(until: self.soon) { try asked.answer($0, [Self.lost, nil]) }
        }
        #expect(asked.all == [1])
        // The next one goes elsewhere.
        _ = try await cluster.write(until: self.soon) { try asked.answer($0, [nil]) }
        #expect(asked.all == [1, 2])
    }

    @Test(arguments: [Self.unsent, Self.noLeader])
    func `to write that surely was not carried out is sent to the next member`(_ error: RPCError) async throws {
        let (cluster, asked) = (try self.cluster(), Asked())
        #expect(try await cluster.write(until: self.soon) { try asked.answer($0, [error, error, nil]) } == 2)
        #expect(asked.all == [1, 2, 3])
    }

    @Test func `to read ends with its deadline`() async throws {
        let (cluster, asked) = (try self.cluster(), Asked())
        let deadline = ContinuousClock.now + .milliseconds(50)
        await #expect(throws: EtcdFailure(Self.unsent)) {
            try await cluster.read(until: deadline) { try asked.answer($0, [Self.unsent]) }
        }
        #expect(ContinuousClock.now >= deadline && asked.all.count > 3)
    }

    /// An attempt that ends before it can be answered would make an unknown outcome of a definite one.
    @Test func `to write is not sent again without time for an answer`() async throws {
        let (cluster, asked) = (try self.cluster(), Asked())
        let least = EtcdCluster.Limits().leastWriteAttempt
        await #expect(throws: EtcdFailure(Self.unsent)) {
            try await cluster.write(until: .now + least) { try asked.answer($0, [Self.unsent]) }
        }
        #expect(asked.all == [1])
        let lefts = Mutex<[Duration]>([])
        await #expect(throws: EtcdFailure(Self.noLeader)) {
            try await cluster.write(until: .now + least + .milliseconds(50)) { call in
                lefts.withLock { $0.append(call.options.timeout ?? .zero) }
                throw Self.noLeader
            }
        }
        // A moment passes between the decision and the attempt.
        #expect(lefts.withLock { $0.count > 1 && $0.allSatisfy { $0 > least / 2 } })
    }

    @Test func `is refused by a member without a leader, and has a time limit`() async throws {
        let cluster = try self.cluster()
        try await cluster.read(until: self.soon) { call in
            #expect(Array(call.metadata["hasleader"]).count == 1)
            #expect(call.options.timeout == EtcdCluster.Limits().readAttempt && call.options.waitForReady == false)
        }
        try await cluster.write(until: .now + .milliseconds(500)) { call in
            let timeout = try #require(call.options.timeout)
            #expect(timeout > .milliseconds(100) && timeout <= .milliseconds(500))
        }
    }
}
