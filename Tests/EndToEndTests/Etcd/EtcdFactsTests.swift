import EtcdAPI
import EtcdEngine
import Foundation
import GRPCCore
import SwiftProtobuf
import TestSupport
import Testing

/// What the engine is built on, of the etcd that is installed; seen with 3.4.23.
extension EndToEnd {
    @Suite("etcd", .timeLimit(.minutes(10)))
    struct EtcdFactsTests {
        private typealias Compare = Etcdserverpb_Compare
        private typealias Operation = Etcdserverpb_RequestOp

        private static func bytes(_ text: String) -> Data { Data(text.utf8) }

        private static func put(_ key: String, _ value: String = "v", lease: Int64 = 0) -> Operation {
            .with { $0.requestPut = .with { ($0.key, $0.value, $0.lease) = (bytes(key), bytes(value), lease) } }
        }

        private static func delete(_ key: String, to end: String = "") -> Operation {
            .with { $0.requestDeleteRange = .with { ($0.key, $0.rangeEnd) = (bytes(key), bytes(end)) } }
        }

        private static var soon: ContinuousClock.Instant { .now + .seconds(20) }

        @discardableResult
        private static func transact(
            _ cluster: EtcdCluster, if compares: [Compare] = [], _ success: [Operation], else failure: [Operation] = []
        ) async throws(EtcdFailure) -> Etcdserverpb_TxnResponse {
            let request = Etcdserverpb_TxnRequest.with {
                ($0.compare, $0.success, $0.failure) = (compares, success, failure)
            }
            return try await cluster.write(until: self.soon) {
                try await $0.member.keys.txn(request, metadata: $0.metadata, options: $0.options)
            }
        }

        private static func range(
            _ cluster: EtcdCluster, _ set: (inout Etcdserverpb_RangeRequest) -> Void
        ) async throws(EtcdFailure) -> Etcdserverpb_RangeResponse {
            let request = Etcdserverpb_RangeRequest.with(set)
            return try await cluster.read(until: self.soon) {
                try await $0.member.keys.range(request, metadata: $0.metadata, options: $0.options)
            }
        }

        @Test func `finds a comparison with the value of a missing key false, whatever the operator`() async throws {
            try await EtcdMembers.with(1) { _, cluster in
                for result in [Compare.CompareResult.equal, .greater, .less, .notEqual] {
                    let compare = Compare.with {
                        ($0.result, $0.target, $0.key, $0.value) = (
                            result, .value, Self.bytes("missing"), Self.bytes("a")
                        )
                    }
                    let answer = try await Self.transact(cluster, if: [compare], [Self.put("met")])
                    #expect(!answer.succeeded, "\(result)")
                }
                // Its revision is 0, and can be compared with.
                let absent = Compare.with {
                    ($0.result, $0.target, $0.key, $0.createRevision) = (.equal, .create, Self.bytes("missing"), 0)
                }
                #expect(try await Self.transact(cluster, if: [absent], [Self.put("met")]).succeeded)
            }
        }

        @Test func `carries out a transaction inside another one, and compares with what was before both`() async throws
        {
            try await EtcdMembers.with(1) { _, cluster in
                try await Self.transact(cluster, [Self.put("a", "1")])
                let inner = Etcdserverpb_TxnRequest.with {
                    $0.compare = [
                        .with {
                            ($0.result, $0.target, $0.key, $0.value) = (
                                .equal, .value, Self.bytes("a"), Self.bytes("1")
                            )
                        }
                    ]
                    $0.success = [Self.put("b")]
                    $0.failure = [Self.put("c")]
                }
                let answer = try await Self.transact(cluster, [Self.put("a", "2"), .with { $0.requestTxn = inner }])
                #expect(answer.responses.count == 2 && answer.responses[1].responseTxn.succeeded)
                let found = try await Self.range(cluster) { ($0.key, $0.rangeEnd) = (Self.bytes("a"), Self.bytes("z")) }
                #expect(found.kvs.map { String(decoding: $0.key, as: UTF8.self) } == ["a", "b"])
                // All changes of both have one revision.
                #expect(Set(found.kvs.map(\.modRevision)) == [answer.header.revision])
            }
        }

        @Test func `refuses a key twice in a transaction, also as part of a range that is deleted`() async throws {
            try await EtcdMembers.with(1) { _, cluster in
                let twice = [[Self.put("p/1"), Self.put("p/1")], [Self.delete("p/", to: "p0"), Self.put("p/1")]]
                for operations in twice {
                    let text = "etcdserver: duplicate key given in txn request"
                    await #expect(throws: EtcdFailure.refused(.invalid, text)) {
                        try await Self.transact(cluster, operations)
                    }
                }
                // In the two branches of one it may be.
                let missing = Compare.with { ($0.target, $0.key) = (.create, Self.bytes("p/1")) }
                try await Self.transact(cluster, if: [missing], [Self.put("p/1")], else: [Self.put("p/1")])
                try await Self.transact(cluster, [Self.delete("p/1"), Self.delete("p/1")])
            }
        }

        @Test func `takes 128 operations at most, of a transaction inside another one as many as that leaves`()
            async throws
        {
            try await EtcdMembers.with(1) { _, cluster in
                func puts(_ count: Int, _ prefix: String) -> [Operation] {
                    (0..<count).map { Self.put("\(prefix)\($0)") }
                }
                func nested(_ outer: Int, _ inner: Int) -> [Operation] {
                    puts(outer - 1, "o") + [.with { $0.requestTxn = .with { $0.success = puts(inner, "i") } }]
                }
                let text = "etcdserver: too many operations in txn request"
                try await Self.transact(cluster, puts(128, "k"))
                try await Self.transact(cluster, nested(100, 28))
                for tooMany in [puts(129, "k"), nested(100, 29)] {
                    await #expect(throws: EtcdFailure.refused(.invalid, text)) {
                        try await Self.transact(cluster, tooMany)
                    }
                }
            }
        }

        @Test func `counts keys without regard to the revisions that it was asked for`() async throws {
            try await EtcdMembers.with(1) { _, cluster in
                try await Self.transact(cluster, [Self.put("k1"), Self.put("k2")])
                let last = try await Self.transact(cluster, [Self.put("k3")]).header.revision
                let found = try await Self.range(cluster) {
                    ($0.key, $0.rangeEnd, $0.minModRevision) = (Self.bytes("k"), Self.bytes("l"), last)
                }
                #expect(found.kvs.count == 1 && found.count == 3)
            }
        }

        @Test func `deletes all keys of a lease with one revision`() async throws {
            try await EtcdMembers.with(1) { _, cluster in
                let lease = try await cluster.write(until: Self.soon) {
                    try await $0.member.leases.leaseGrant(.with { ($0.ttl, $0.id) = (60, 77) }, options: $0.options)
                }
                #expect(lease.id == 77)
                await #expect(throws: EtcdFailure.refused(.leaseExists, "etcdserver: lease already exists")) {
                    try await cluster.write(until: Self.soon) {
                        try await $0.member.leases.leaseGrant(.with { ($0.ttl, $0.id) = (60, 77) }, options: $0.options)
                    }
                }
                let put = try await Self.transact(cluster, ["a", "b", "c"].map { Self.put($0, lease: 77) })
                let events = try await Self.events(cluster, from: put.header.revision + 1, count: 3) {
                    _ = try await cluster.write(until: Self.soon) {
                        try await $0.member.leases.leaseRevoke(.with { $0.id = 77 }, options: $0.options)
                    }
                }
                #expect(events.allSatisfy { $0.type == .delete })
                #expect(Set(events.map(\.kv.modRevision)) == [put.header.revision + 1])
                await #expect(throws: EtcdFailure.refused(.leaseNotFound, "etcdserver: requested lease not found")) {
                    try await Self.transact(cluster, [Self.put("a", lease: 77)])
                }
            }
        }

        /// So the engine begins a watch behind the compacted revision, never at it.
        @Test func `misses a delete in a watch that begins at the compacted revision, without a word`() async throws {
            try await EtcdMembers.with(1) { _, cluster in
                try await Self.transact(cluster, [Self.put("a")])
                let deleted = try await Self.transact(cluster, [Self.delete("a")]).header.revision
                let after = try await Self.transact(cluster, [Self.put("b")]).header.revision
                let whole = try await Self.events(cluster, from: deleted, count: 2) {}
                #expect(whole.map(\.type) == [.delete, .put])
                _ = try await cluster.write(until: Self.soon) {
                    try await $0.member.keys.compact(
                        .with { ($0.revision, $0.physical) = (deleted, true) }, options: $0.options)
                }
                let rest = try await Self.events(cluster, from: deleted, count: 1) {}
                #expect(rest.map(\.type) == [.put] && rest[0].kv.modRevision == after)
                await #expect(throws: CompactedWatch(revision: deleted)) {
                    try await Self.events(cluster, from: deleted - 1, count: 1) {}
                }
                let text = "etcdserver: mvcc: required revision has been compacted"
                await #expect(throws: EtcdFailure.refused(.compacted, text)) {
                    try await Self.range(cluster) { ($0.key, $0.revision) = (Self.bytes("a"), deleted - 1) }
                }
            }
        }

        private struct CompactedWatch: Error, Equatable { let revision: Int64 }

        /// The first events of all keys from a revision on; `act` is called once the watch has begun.
        private static func events(
            _ cluster: EtcdCluster, from revision: Int64, count: Int, _ act: @escaping @Sendable () async throws -> Void
        ) async throws -> [Mvccpb_Event] {
            let found: Result<[Mvccpb_Event], CompactedWatch> = try await cluster.watch { call in
                let (ends, end) = AsyncStream<Void>.makeStream()
                let create = Etcdserverpb_WatchRequest.with {
                    $0.createRequest = .with {
                        ($0.key, $0.rangeEnd, $0.startRevision) = (Data([0]), Data([0]), revision)
                    }
                }
                return try await call.member.watches.watch(metadata: call.metadata, options: call.options) { writer in
                    try await writer.write(create)
                    // The stream ends with its requests.
                    for await _ in ends {}
                } onResponse: { response in
                    defer { end.finish() }
                    var events: [Mvccpb_Event] = []
                    for try await message in response.messages {
                        if message.canceled { return .failure(CompactedWatch(revision: message.compactRevision)) }
                        if message.created { try await act() }
                        events += message.events
                        if events.count >= count { return .success(events) }
                    }
                    return .success(events)
                }
            }
            return try found.get()
        }
    }
}
