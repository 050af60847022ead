import Glibc
import TestSupport
import Testing

extension EndToEnd {
    /// Clients read and write all the time. Whatever happens to kv-service, each request ends in time, with a status and
    /// an `applied` that the store confirms afterwards.
    @Suite("A kv-service that is stopped, killed, full or slow", .timeLimit(.minutes(10)))
    struct UpstreamFaultTests {
        private static let clients = 6
        private static let timeout = ["--upstream-timeout", "1s"]
        /// A gateway keeps, of a client's connection and of one to kv-service, a received buffer, a request and an answer,
        /// each of at most a value of 64 KiB and a little more. There is one connection to kv-service for a request, and
        /// the allocator keeps as much again that was freed.
        private static let mostGrowth = Self.clients * 2 * 2 * 3 * (64 << 10) + (4 << 20)

        /// 1 and 5 s, and more with `TXLOG_KV_STOPPED_SECONDS`.
        private static let stops = [1, 5] + [Cycles.count("TXLOG_KV_STOPPED_SECONDS", else: 0)].filter { $0 > 0 }

        /// The services under load; at the end the store is compared with what the clients were told.
        ///
        /// - Parameters:
        ///   - kv: the kv-service that runs at the end.
        ///   - others: writes that are not the load's.
        private func check(
            _ name: String, gateway: ServiceProcess, gatewayPort: UInt16, kvPort: UInt16,
            _ fault: (UpstreamLoad) throws -> Int
        ) throws {
            let load = UpstreamLoad(port: gatewayPort, timeout: .seconds(1))
            let threads = load.start(clients: Self.clients)
            try load.waitForAnswers(100)
            let before = try gateway.mostResidentBytes
            let others: Int
            do {
                others = try fault(load)
                try load.waitForRecovery()
                try load.waitForAnswers(100)
            } catch {
                load.end()
                threads.join(seconds: 60)
                throw error
            }
            load.end()
            threads.join(seconds: 60)
            let growth = try gateway.mostResidentBytes - before
            print("\(name): \(load.summary); the gateway's memory grew by \(growth >> 10) KiB")
            let faults = try load.compare(withStoreAt: kvPort, others: others)
            #expect(faults == [])
            #expect(growth < Self.mostGrowth)
            let recovery = try #require(load.tally.recovery)
            #expect(recovery < .seconds(5))
        }

        @Test(arguments: stops)
        func `stopped for seconds and continued`(seconds: Int) throws {
            let services = try Services(gatewayArguments: Self.timeout)
            try self.check(
                "stopped for \(seconds) s", gateway: #require(services.gateway), gatewayPort: services.gatewayPort,
                kvPort: services.kvPort
            ) { load in
                try services.kv.child.pause()
                defer { services.kv.child.signal(SIGCONT) }
                let stopped = ContinuousClock.now
                _ = try Poll.until("the time of the stop is over", seconds: Double(seconds + 10)) {
                    ContinuousClock.now - stopped >= .seconds(seconds) ? true : nil
                }
                services.kv.child.signal(SIGCONT)
                load.noteRecovery()
                return 0
            }
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        /// `TXLOG_KV_UPSTREAM_KILLS` times, else twice.
        @Test func `killed and started again`() throws {
            let services = try Services(gatewayArguments: Self.timeout)
            let (folder, port) = (services.folder, services.kvPort)
            var kv = services.kv
            try self.check(
                "killed", gateway: #require(services.gateway), gatewayPort: services.gatewayPort, kvPort: port
            ) { load in
                for _ in 0..<Cycles.count("TXLOG_KV_UPSTREAM_KILLS", else: 2) {
                    try load.waitForAnswers(100)
                    try kv.crash()
                    kv = try Services.startKV(in: folder, listen: "127.0.0.1:\(port)")
                    try kv.waitUntilReady(port: kv.waitForPort())
                    load.noteRecovery()
                    try load.waitForRecovery()
                }
                return 0
            }
            #expect(try services.gateway?.stop() == .exited(0))
            #expect(try kv.stop() == .exited(0))
        }

        @Test(
            .enabled(
                if: MountedFolder.memoryRefusal == nil,
                "no file system in memory can be mounted: \(MountedFolder.memoryRefusal ?? "")"))
        func `full, and enlarged`() throws {
            let folder = TemporaryFolder()
            let disk = try MountedFolder(memory: folder.file("kv"), megabytes: 16)
            let services = try Services(
                folder: folder, kvArguments: ["--segment-bytes", "1MiB", "--compact-min-bytes", "1GiB"],
                gatewayArguments: Self.timeout)
            try self.check(
                "full", gateway: #require(services.gateway), gatewayPort: services.gatewayPort, kvPort: services.kvPort
            ) { load in
                let client = try KeyValueClient(services, through: .kvService)
                var fillers = 0
                let value = [UInt8](repeating: 0x66, count: 60_000)
                while try client.set(Array("filler\(fillers)".utf8), value).status == 200 { fillers += 1 }
                // Now for the small writes of the load too.
                _ = try Poll.until("writes of the load are refused") {
                    try load.waitForAnswers(1)
                    return load.tally.failures["507 disk_full"] ?? 0 > 50 ? true : nil
                }
                try disk.remount("size=32m")
                load.noteRecovery()
                return fillers
            }
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        /// It carries out what it is asked, and its answers come later than the gateway waits for them.
        @Test func `slow, and fast again`() throws {
            let services = try Services(withGateway: false)
            let upstream = try FakeUpstream(kvPort: services.kvPort)
            let gateway = try Services.startGateway(in: services.folder, upstreamPort: upstream.port, Self.timeout)
            let port = try gateway.waitForPort()
            try gateway.waitUntilReady(port: port)
            try self.check("slow", gateway: gateway, gatewayPort: port, kvPort: services.kvPort) { load in
                upstream.treat { request, forward in
                    let answer = forward()
                    // Every eighth is nearly in time.
                    let milliseconds: Int64 = request.number % 8 == 0 ? 900 : 1_300
                    return answer.map { [.wait(milliseconds: milliseconds), .send(FakeUpstream.bytes(of: $0))] } ?? [
                        .close
                    ]
                }
                _ = try Poll.until("writes end without an answer") {
                    load.tally.failures["504 upstream_timeout"] ?? 0 >= 3 * Self.clients ? true : nil
                }
                upstream.treat(nil)
                load.noteRecovery()
                return 0
            }
            #expect(try gateway.stop() == .exited(0))
            #expect(try services.stop() == [.exited(0)])
        }
    }
}
