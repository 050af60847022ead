import EtcdAPI
import EtcdEngine
import Foundation
import Glibc
import SwiftProtobuf
import TestSupport

/// Members of an etcd cluster in a temporary folder, on loopback.
final class EtcdMembers: Sendable {
    struct Member: Sendable {
        let name: String
        let clientPort: Int
        let peerPort: Int
        let process: ChildProcess
    }

    private let folder: TemporaryFolder
    let members: [Member]
    let endpoints: [EtcdEndpoint]

    /// - Parameter arguments: further ones of each member.
    init(_ count: Int, _ arguments: [String] = []) throws {
        let folder = TemporaryFolder()
        self.folder = folder
        let ports = try FreePort.find(2 * count).map { Int($0) }
        let names = (0..<count).map { "m\($0)" }
        let peers = names.indices.map { "\(names[$0])=http://127.0.0.1:\(ports[2 * $0 + 1])" }.joined(separator: ",")
        self.members = try names.indices.map { place in
            let (client, peer) = ("http://127.0.0.1:\(ports[2 * place])", "http://127.0.0.1:\(ports[2 * place + 1])")
            let own = [
                "--name", names[place], "--data-dir", "\(folder.path)/\(names[place])", "--listen-client-urls", client,
                "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", peers, "--initial-cluster-state", "new", "--pre-vote=true", "--logger", "zap",
            ]
            let process = try ChildProcess(
                "/usr/bin/etcd", own + arguments, output: "\(folder.path)/\(names[place]).log")
            return Member(
                name: names[place], clientPort: ports[2 * place], peerPort: ports[2 * place + 1], process: process)
        }
        self.endpoints = self.members.compactMap { EtcdEndpoint("127.0.0.1:\($0.clientPort)") }
    }

    /// Calls `body` with a client of these members once they answer; stops them at the end.
    static func with<Result>(
        _ count: Int, _ arguments: [String] = [], limits: EtcdCluster.Limits = .init(),
        _ body: (EtcdMembers, EtcdCluster) async throws -> Result
    ) async throws -> Result {
        let members = try EtcdMembers(count, arguments)
        let cluster = try EtcdCluster(members.endpoints, limits: limits)
        let running = Task { await cluster.run() }
        let result: Swift.Result<Result, any Error>
        do {
            for place in members.members.indices { try await members.waitUntilLed(place) }
            result = .success(try await body(members, cluster))
        } catch { result = .failure(error) }
        cluster.stop()
        running.cancel()
        await running.value
        return try result.get()
    }

    /// The value of a figure without labels that a member exposes; nil if it does not answer.
    ///
    /// Over HTTP: grpc-go pings the client with each call, and the client's transport ends a connection with more than 200
    /// pings in 30 s (findings/swift-nio-http2-counts-pings-of-grpc-go.sh), which no test may come near by waiting.
    func figure(_ name: String, of place: Int) -> Int? {
        let text = try? HTTPConnection(port: UInt16(self.members[place].clientPort)).request("GET", "/metrics").text
        let line = text?.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
        return line.flatMap { Int($0.dropFirst(name.count + 1)) }
    }

    private func waitUntilLed(_ place: Int) async throws {
        try await Poll.eventually("\(self.members[place].name) of etcd has a leader", seconds: 60) {
            self.figure("etcd_server_has_leader", of: place) == 1
        }
    }

    /// The place of the member that leads.
    func leader(_ cluster: EtcdCluster) async throws -> Int {
        for (place, member) in cluster.members.enumerated() {
            guard let status = try? await member.maintenance.status(.init()) else { continue }
            if status.leader == status.header.memberID { return place }
        }
        throw TimeoutError(description: "no member of etcd leads")
    }
}
