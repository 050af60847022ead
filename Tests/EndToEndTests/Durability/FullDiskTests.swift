import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Full disks", .timeLimit(.minutes(10)))
    struct FullDiskTests {
        /// How often the disk is filled: `TXLOG_KV_FULL_DISKS`, else 20.
        private static var cycles: Int { Cycles.count("TXLOG_KV_FULL_DISKS", else: 20) }
        private static let valueBytes = 16_384

        /// How space becomes free.
        enum Freeing: CaseIterable {
            /// The file system is enlarged, and shrunk again after most keys are deleted.
            case larger
            /// Most keys are deleted on the full disk; a compaction frees their space.
            case deletes
        }

        @Test(
            .enabled(
                if: MountedFolder.memoryRefusal == nil,
                "no file system in memory can be mounted: \(MountedFolder.memoryRefusal ?? "")"),
            arguments: Freeing.allCases)
        func `a full disk refuses sets alone, and they go on without a restart once there is space`(
            freeing: Freeing
        ) throws {
            let folder = TemporaryFolder()
            let disk = try MountedFolder(memory: folder.file("kv"), megabytes: 32)
            let service = try self.start(folder)
            let port = try service.waitForPort()
            let client = try KeyValueClient(port: port, through: .kvService)
            var store = Store()
            var slowest = Duration.zero
            let cycles = max(1, Self.cycles / 2)
            var done = 0
            while done < cycles {
                let place = Comment("\(freeing), cycle \(done)")
                try self.fill(client, &store, place)
                // Reads continue, and nothing of the refused set is stored.
                try self.check(client, store, every: 16, place)
                #expect(try client.getRaw(Store.key(store.next)).status == 404, place)
                #expect(try HTTPConnection(port: port).request("GET", "/livez").status == 200, place)
                // With garbage in the log, a compaction may have freed space by now.
                if case .larger = freeing { try self.expectWarning(port, place) }
                #expect(service.child.endingIfEnded() == nil, place)
                var freed = ContinuousClock.now
                switch freeing {
                case .larger: try disk.remount("size=48m")
                case .deletes: freed = try self.delete(client, &store, keeping: 4, place)
                }
                try self.waitForSet(client, store.next, place)
                slowest = max(slowest, .now - freed)
                store.add()
                _ = try Poll.until("\(place.rawValue): the warning ends") {
                    try self.space(port, "/readyz").string("status") == "ok" ? true : nil
                }
                if case .larger = freeing {
                    _ = try self.delete(client, &store, keeping: 4, place)
                    #expect(try Compaction.run(port) == nil, place)
                    _ = try Poll.until("the disk is made smaller") { () -> Bool? in
                        do { try disk.remount("size=32m") } catch { return nil }
                        return true
                    }
                }
                done += 1
            }
            try self.check(client, store, every: 1, "at the end")
            #expect(try service.stop() == .exited(0))
            let again = try self.start(folder)
            let recovered = try KeyValueClient(port: try again.waitForPort(), through: .kvService)
            try self.check(recovered, store, every: 1, "after a restart")
            #expect(try again.stop() == .exited(0))
            print(
                "full disks, \(freeing): filled and freed \(done) of \(cycles) times, \(store.next - 1) sets were taken,",
                "\(store.values.count) keys are left, sets went on after at most \(slowest / .milliseconds(1)) ms")
        }

        /// The check of the space in a document.
        private func space(_ port: UInt16, _ path: String) throws -> JSONObject {
            try #require(
                try AdminDocuments.get(port, path).objects("checks").first { $0.string("name") == "disk_space" })
        }

        /// The service is ready, because reads and deletes continue, and reports the problem.
        private func expectWarning(_ port: UInt16, _ place: Comment) throws {
            let readiness = try HTTPConnection(port: port).request("GET", "/readyz")
            let document = try readiness.json
            #expect(readiness.status == 200 && document.string("status") == "ok", place)
            for path in ["/readyz", "/admin"] {
                let check = try self.space(port, path)
                #expect(check.string("status") == "warning", "\(place.rawValue): \(path)")
                #expect(check.string("message")?.contains("No space left on device") == true, place)
            }
            let metrics = try HTTPConnection(port: port).request("GET", "/metrics").text
            #expect(metrics.contains("\nkv_health_check_status{check=\"disk_space\"} 0\n"), place)
            #expect(metrics.contains("\nkv_ready 1\n"), place)
        }

        private struct Store {
            var values: [Int: Int] = [:]
            var next = 1

            static func key(_ number: Int) -> [UInt8] { Array("key \(number)".utf8) }
            static func value(_ number: Int) -> [UInt8] {
                var generator = SeededGenerator(seed: UInt64(number))
                return generator.bytes(FullDiskTests.valueBytes)
            }

            mutating func add() {
                self.values[self.next] = self.next
                self.next += 1
            }
        }

        private func start(_ folder: TemporaryFolder, _ arguments: [String] = []) throws -> ServiceProcess {
            let service = try Services.startKV(
                in: folder, ["--segment-bytes", "1MiB", "--compact-min-bytes", "1MiB"] + arguments)
            try service.waitUntilReady(port: try service.waitForPort())
            return service
        }

        /// Sets new keys until the answer is 507.
        private func fill(_ client: KeyValueClient, _ store: inout Store, _ place: Comment) throws {
            for _ in 0..<10_000 {
                let answer = try client.set(Store.key(store.next), Store.value(store.next))
                if answer.status != 200 {
                    let json = try answer.json
                    #expect(answer.status == 507 && json.string("code") == "disk_full", "\(answer.text)")
                    #expect(json.string("applied") == "no", place)
                    return
                }
                store.add()
            }
            throw TimeoutError(description: "the disk never became full")
        }

        /// Deletes all but every n-th key. If the space for deletes is used up, a compaction frees more.
        /// - Returns: when the first delete was done.
        private func delete(
            _ client: KeyValueClient, _ store: inout Store, keeping nth: Int, _ place: Comment
        ) throws -> ContinuousClock.Instant {
            var first: ContinuousClock.Instant?
            for number in store.values.keys.sorted() where number % nth != 0 {
                _ = try Poll.until("\(place.rawValue): deletes go on", seconds: 20) { () -> Bool? in
                    let answer = try client.delete(Store.key(number))
                    if answer.status == 200 { return true }
                    let applied = try answer.json.string("applied")
                    #expect(answer.status == 507 && applied == "no", "\(answer.text)")
                    return nil
                }
                store.values[number] = nil
                first = first ?? .now
            }
            return first ?? .now
        }

        private func waitForSet(_ client: KeyValueClient, _ number: Int, _ place: Comment) throws {
            _ = try Poll.until("\(place.rawValue): sets go on", seconds: 20) { () -> Bool? in
                let answer = try client.set(Store.key(number), Store.value(number))
                if answer.status == 200 { return true }
                let applied = try answer.json.string("applied")
                #expect(answer.status == 507 && applied == "no", "\(answer.text)")
                return nil
            }
        }

        private func check(_ client: KeyValueClient, _ store: Store, every step: Int, _ place: Comment) throws {
            for number in 1..<store.next where number % step == 0 {
                let answer = try client.getRaw(Store.key(number))
                if store.values[number] != nil {
                    #expect(answer.status == 200 && answer.body == Store.value(number), place)
                } else {
                    #expect(answer.status == 404, place)
                }
            }
        }

        // MARK: - A device with less space than its file system

        /// A thin volume: the file system has space, but the device below it has not.
        @Test(
            .enabled(
                if: MountedFolder.memoryRefusal == nil && MountedFolder.ext4Refusal == nil,
                "no ext4 image can be mounted: \(MountedFolder.ext4Refusal ?? MountedFolder.memoryRefusal ?? "")"))
        func `a sync for which the device has no space is taken back, and a restart has what was acknowledged`() throws
        {
            let folder = TemporaryFolder()
            // The image has space nominally; its blocks come from a smaller memory.
            let memory = try MountedFolder(memory: folder.file("memory"), megabytes: 40)
            let device = try MountedFolder(
                ext4: folder.file("kv"), image: "\(memory.path)/image", megabytes: 256, options: "commit=600")
            try Self.useJournal(of: device)
            let large = ["--max-value-bytes", "4MiB"]
            let service = try self.start(folder, large)
            let port = try service.waitForPort()
            let client = try KeyValueClient(port: port, through: .kvService)
            var store = Store()
            for _ in 0..<100 {
                #expect(try client.set(Store.key(store.next), Store.value(store.next)).status == 200)
                store.add()
            }
            // Space for the prepared files, not for a value that makes its segment longer.
            let filler = "\(memory.path)/filler"
            try Command.run("fallocate", "-l", "\(memory.availableBytes - (3 << 20))", filler)
            let key = Array("large".utf8)
            let value = [UInt8](repeating: 0x55, count: 4_000_000)
            let failed = try client.set(key, value)
            // The sync failed, and nothing of the write exists after a later successful one.
            #expect(failed.status == 507, "\(failed.text)")
            #expect(try failed.json.string("code") == "disk_full")
            #expect(try failed.json.string("applied") == "no")
            #expect(try client.getRaw(key).status == 404)
            // From now on the device accepts everything.
            #expect(unlink(filler) == 0)
            for _ in 0..<20 {
                try self.waitForSet(client, store.next, "after the failed sync")
                store.add()
            }
            #expect(try HTTPConnection(port: port).request("GET", "/readyz").status == 200)
            try self.check(client, store, every: 1, "after the failure")
            try service.crash()
            try device.unmount()
            try device.mount()
            let again = try self.start(folder, large)
            let recovered = try KeyValueClient(port: try again.waitForPort(), through: .kvService)
            try self.check(recovered, store, every: 1, "after a restart")
            #expect(try recovered.getRaw(key).status == 404)
            #expect(try recovered.set(Store.key(store.next), Store.value(store.next)).status == 200)
            #expect(try again.stop() == .exited(0))
            let line = service.log.first { $0.string("event") == "disk_full" }
            #expect(line?.string("error")?.contains("fdatasync") == true)
        }

        /// Writes until every block of the journal has been written once, so that it needs no memory later.
        private static func useJournal(of device: MountedFolder) throws {
            let path = "\(device.path)/journal-filler"
            for _ in 0..<800 {
                let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
                guard descriptor >= 0, write(descriptor, path, 8) == 8, fsync(descriptor) == 0 else {
                    throw SystemCallError(call: "fsync", code: errno)
                }
                close(descriptor)
                unlink(path)
            }
        }
    }
}
