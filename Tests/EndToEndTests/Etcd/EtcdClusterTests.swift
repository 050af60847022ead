import EtcdAPI
import EtcdEngine
import Foundation
import GRPCCore
import Glibc
import SwiftProtobuf
import TestSupport
import Testing

/// The rules by which requests go to members, while members fail.
extension EndToEnd {
    @Suite("A client of three etcd members", .timeLimit(.minutes(10)))
    struct EtcdClusterTests {
        private static func put(_ cluster: EtcdCluster, _ value: Int, seconds: Double = 20) async throws(EtcdFailure) {
            let request = Etcdserverpb_TxnRequest.with {
                $0.success = [
                    .with { $0.requestPut = .with { ($0.key, $0.value) = (Data("k".utf8), Data("\(value)".utf8)) } }
                ]
            }
            _ = try await cluster.write(until: .now + .seconds(seconds)) {
                try await $0.member.keys.txn(request, metadata: $0.metadata, options: $0.options)
            }
        }

        private static func get(_ cluster: EtcdCluster, seconds: Double = 20) async throws(EtcdFailure) -> Int? {
            let answer = try await cluster.read(until: .now + .seconds(seconds)) {
                try await $0.member.keys.range(
                    .with { $0.key = Data("k".utf8) }, metadata: $0.metadata, options: $0.options)
            }
            return answer.kvs.first.flatMap { Int(String(decoding: $0.value, as: UTF8.self)) }
        }

        /// Puts values until one is acknowledged; each that is not may be there nevertheless.
        private static func putUntilAcknowledged(_ cluster: EtcdCluster, from first: Int) async throws -> Int {
            var value = first
            let deadline = ContinuousClock.now + .seconds(60)
            while true {
                do {
                    try await self.put(cluster, value, seconds: 2)
                    return value
                } catch {
                    guard ContinuousClock.now < deadline else { throw error }
                    value += 1
                }
            }
        }

        @Test func `goes on with the others when a member is killed, and reads what was acknowledged`() async throws {
            try await EtcdMembers.with(3) { members, cluster in
                try await Self.put(cluster, 1)
                let leader = try await members.leader(cluster)
                members.members[leader].process.signal(SIGKILL)
                // The others elect a leader meanwhile.
                #expect(try await Self.get(cluster) == 1)
                let value = try await Self.putUntilAcknowledged(cluster, from: 2)
                #expect(try await Self.get(cluster) == value)
            }
        }

        @Test func `leaves a paused member after the time limit of an attempt`() async throws {
            var limits = EtcdCluster.Limits()
            limits.readAttempt = .milliseconds(300)
            try await EtcdMembers.with(3, limits: limits) { members, cluster in
                try await Self.put(cluster, 1)
                let leader = try await members.leader(cluster)
                // The client talks with the first one; if that leads, the others need a leader first.
                try members.members[0].process.pause()
                defer { members.members[0].process.signal(SIGCONT) }
                #expect(try await Self.get(cluster) == 1)
                let value = try await Self.putUntilAcknowledged(cluster, from: 2)
                #expect(try await Self.get(cluster) == value, "member \(leader) led")
            }
        }

        @Test func `says that a put may have been carried out, if a paused member has it`() async throws {
            try await EtcdMembers.with(1) { members, cluster in
                try await Self.put(cluster, 1)
                try members.members[0].process.pause()
                let failure = await #expect(throws: EtcdFailure.self) { try await Self.put(cluster, 2, seconds: 0.5) }
                members.members[0].process.signal(SIGCONT)
                guard case .unknown? = failure else {
                    Issue.record("\(String(describing: failure)) is not unknown")
                    return
                }
                // It is: what the member finds in its socket when it goes on, it carries out or not.
                let found = try await Self.get(cluster)
                #expect(found == 1 || found == 2)
            }
        }

        @Test func `says that a put was not carried out, if there is no member`() async throws {
            let cluster = try EtcdCluster([try #require(EtcdEndpoint("127.0.0.1:\(try FreePort.find())"))])
            let running = Task { await cluster.run() }
            let failure = await #expect(throws: EtcdFailure.self) { try await Self.put(cluster, 1, seconds: 1) }
            guard case .notSent? = failure else {
                Issue.record("\(String(describing: failure)) may have been sent")
                return
            }
            cluster.stop()
            await running.value
        }

        @Test func `is refused at once by a member without a leader`() async throws {
            try await EtcdMembers.with(3) { members, cluster in
                try await Self.put(cluster, 1)
                for member in members.members[1...] { member.process.signal(SIGKILL) }
                // It notices after an election timeout.
                try await Poll.eventually("the last member has no leader", seconds: 60) {
                    members.figure("etcd_server_has_leader", of: 0) == 0
                }
                let failure = await #expect(throws: EtcdFailure.self) { try await Self.put(cluster, 2, seconds: 5) }
                switch failure {
                case .refused(.noLeader, _)?, .notSent?: break
                default: Issue.record("\(String(describing: failure)) is not definite")
                }
            }
        }
    }
}
