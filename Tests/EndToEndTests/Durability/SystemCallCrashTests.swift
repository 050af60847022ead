import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    /// `kill -9` when a thread of kv-service enters a system call, chosen by name and number.
    ///
    /// strace counts the calls of each thread separately, so it is attached to one thread at a time: to each of the
    /// log's three threads during writes, a move to the next segment and a compaction, and to the whole process for the
    /// calls of a start. A call whose thread is killed at its entry is not carried out.
    @Suite("Crashes at system calls", .timeLimit(.minutes(10)))
    struct SystemCallCrashTests {
        private static let strace = "/usr/bin/strace"
        private static let kinds: [(name: String, calls: String)] = [
            ("rename", "?rename,?renameat,?renameat2"), ("unlink", "?unlink,?unlinkat"), ("fdatasync", "fdatasync"),
            ("fsync", "fsync"), ("openat", "openat"), ("ftruncate", "ftruncate"),
        ]
        private static let threads = ["kv-writer", "kv-compact", "kv-prepare"]
        /// Kills per thread and kind, spread evenly over its calls; if there are few calls, at each of them.
        private static var killsPerKind: Int { Cycles.count("TXLOG_KV_SYSTEM_CALL_KILLS", else: 3) }

        private struct Tally {
            /// By thread and kind: calls of the whole run, and those that were killed.
            var calls: [String: Int] = [:]
            var kills: [String: [Int]] = [:]
            var missed = 0

            mutating func note(_ place: String, _ number: Int, killed: Bool) {
                if killed { self.kills[place, default: []].append(number) } else { self.missed += 1 }
            }
        }

        @Test(.enabled(if: access(strace, X_OK) == 0, "strace is not installed"))
        func `every start recovers from a kill at any call of a rotation, a compaction and a start`() throws {
            let seed = UInt64.random(in: 0 ... .max)
            print("system call crashes: seed \(seed)")
            var generator = SeededGenerator(seed: seed)
            let folder = TemporaryFolder()
            let load = CrashLoad(
                ledger: CrashLedger(), writers: 4, readers: 0, keysPerWriter: 60, operationsPerWriter: 200)
            var tally = Tally()
            let began = ContinuousClock.now
            try self.probe(folder, load, &tally, seed: generator.next())
            for thread in Self.threads {
                for kind in Self.kinds {
                    let total = tally.calls["\(thread) \(kind.name)"] ?? 0
                    let count = min(total, Self.killsPerKind)
                    for index in 0..<count {
                        // The first, the last, and some between.
                        var number = count == 1 ? 1 : 1 + index * (total - 1) / (count - 1)
                        var killed = try self.kill(
                            thread, kind.calls, number, folder, load, seed: generator.next())
                        if !killed, number > 1 {
                            // The number of calls of a run depends on how many writes share a group.
                            try self.recover(folder, load, Comment("\(thread), \(kind.name) not reached"))
                            number = number * 2 / 3
                            killed = try self.kill(
                                thread, kind.calls, number, folder, load, seed: generator.next())
                        }
                        tally.note("\(thread) \(kind.name)", number, killed: killed)
                        try self.recover(folder, load, Comment("\(thread), \(kind.name) \(number)"))
                    }
                }
            }
            try self.killStarts(folder, load, &tally, &generator)
            for place in tally.calls.keys.sorted() where tally.calls[place]! > 0 {
                print("\(place): killed at \(tally.kills[place] ?? []) of \(tally.calls[place] ?? 0)")
            }
            let kills = tally.kills.values.reduce(0) { $0 + $1.count }
            print(
                "system call crashes: \(kills) kills and \(tally.missed) that were not reached,",
                "\(load.ledger.totals.acknowledged) acknowledged writes, \(load.ledger.totals.checks) checks,",
                "\((ContinuousClock.now - began) / .seconds(1)) s")
            #expect(kills > 30 && tally.missed <= kills / 4)
        }

        // MARK: - A run

        private func start(_ folder: TemporaryFolder, wrapper: [String] = []) throws -> ServiceProcess {
            try Services.startKV(
                in: folder, ["--segment-bytes", "1MiB"] + Compaction.onlyWhenAsked, wrapper: wrapper)
        }

        /// Writes with moves to further segments, and a compaction.
        /// - Returns: whether everything was done; otherwise the process ended before.
        private func work(
            _ service: ServiceProcess, _ port: UInt16, _ load: CrashLoad, seed: UInt64
        ) throws -> Bool {
            load.start(on: port, seed: seed).join()
            do {
                #expect(try Compaction.run(port) == nil)
                return true
            } catch {
                #expect(try service.child.waitForEnd() == .killed(signal: SIGKILL))
                return false
            }
        }

        /// Counts the calls of each thread.
        private func probe(_ folder: TemporaryFolder, _ load: CrashLoad, _ tally: inout Tally, seed: UInt64) throws {
            for _ in 0..<2 {
                let service = try self.start(folder)
                let port = try service.waitForPort()
                try service.waitUntilReady(port: port)
                let calls = "trace=" + Self.kinds.map(\.calls).joined(separator: ",")
                let tracers = try Self.threads.map { thread in
                    (thread, try self.attach(to: thread, of: service, ["-y", "-e", calls], folder))
                }
                #expect(try self.work(service, port, load, seed: seed))
                try service.crash()
                for (thread, tracer) in tracers {
                    try tracer.waitForEnd()
                    let lines = tracer.output.split(separator: "\n")
                    for kind in Self.kinds {
                        let names = kind.calls.split(separator: ",").map { "\($0.drop { $0 == "?" })(" }
                        tally.calls["\(thread) \(kind.name)"] =
                            lines.count { line in names.contains { line.hasPrefix($0) } }
                    }
                }
                try self.recover(folder, load, "after the count of calls")
            }
        }

        /// - Returns: whether the process was killed; otherwise it completed its work before that call.
        private func kill(
            _ thread: String, _ calls: String, _ number: Int, _ folder: TemporaryFolder, _ load: CrashLoad,
            seed: UInt64
        ) throws -> Bool {
            let service = try self.start(folder)
            let port = try service.waitForPort()
            try service.waitUntilReady(port: port)
            let options = ["-e", "trace=\(calls)", "-e", "inject=\(calls):signal=KILL:when=\(number)"]
            let tracer = try self.attach(to: thread, of: service, options, folder)
            let isDone = try self.work(service, port, load, seed: seed)
            try service.crash()
            try tracer.waitForEnd()
            return !isDone
        }

        /// Attaches strace to one thread and waits until that is done.
        private func attach(
            to thread: String, of service: ServiceProcess, _ options: [String], _ folder: TemporaryFolder
        ) throws -> ChildProcess {
            let tasks = "/proc/\(service.child.pid)/task"
            // The thread that writes the program's log lines has the same name as the one that writes the store's log,
            // and is older.
            let id = try Poll.until("there is a thread \(thread)") {
                try FileManager.default.contentsOfDirectory(atPath: tasks).compactMap(Int.init).filter { task in
                    (try? FileText.text("\(tasks)/\(task)/comm")) == "\(thread)\n"
                }.max()
            }
            let output = folder.file("strace-\(UUID().uuidString).log")
            let tracer = try ChildProcess(Self.strace, ["-p", "\(id)"] + options, output: output)
            _ = try Poll.until("strace is attached to \(thread)") { tracer.output.contains("attached") ? true : nil }
            return tracer
        }

        // MARK: - A start

        /// Kills starts at each of their calls on files of the log, after a kill in the middle of writes.
        private func killStarts(
            _ folder: TemporaryFolder, _ load: CrashLoad, _ tally: inout Tally, _ generator: inout SeededGenerator
        ) throws {
            for kind in Self.kinds {
                for number in 1...24 {
                    let paths = self.paths(folder)
                    let options = [
                        "-f", "-e", "trace=\(kind.calls)", "-e", "inject=\(kind.calls):signal=KILL:when=\(number)",
                        "-e", "signal=none", "-o", "/dev/null",
                    ]
                    let service = try self.start(
                        folder, wrapper: [Self.strace] + options + paths.flatMap { ["-P", $0] })
                    let killed = try Poll.until("the start is killed or over") { () -> Bool? in
                        if service.child.endingIfEnded() != nil { return true }
                        return service.log.contains { $0.string("message") == "ready" } ? false : nil
                    }
                    if !killed {
                        Glibc.kill(try service.wrapped(), SIGKILL)
                        try service.child.waitForEnd()
                        break
                    }
                    #expect(try service.child.waitForEnd() == .killed(signal: SIGKILL))
                    tally.note("start \(kind.name)", number, killed: true)
                    tally.calls["start \(kind.name)", default: 0] += 1
                    if number % 4 == 1 { try self.recover(folder, load, Comment("start, \(kind.name) \(number)")) }
                }
                try self.recover(folder, load, Comment("start, \(kind.name)"))
                // The next starts find the state of a process that was killed while it wrote.
                let service = try self.start(folder)
                let port = try service.waitForPort()
                try service.waitUntilReady(port: port)
                var writing = load
                writing.operationsPerWriter = .max
                let acknowledged = load.ledger.totals.acknowledged
                let threads = writing.start(on: port, seed: generator.next())
                try load.waitUntilAcknowledged(acknowledged + 200)
                try service.crash()
                threads.join()
            }
        }

        /// The existing files of the log, and those that a start creates.
        private func paths(_ folder: TemporaryFolder) -> [String] {
            let path = folder.file("kv")
            let made = ["MANIFEST.tmp", "0000000000000001.log.prepared", "0000000000000002.log.prepared"]
            // By the full path while the folder is opened, and by name in the open folder.
            return [path] + (LogFolder(path: path).names + made).flatMap { ["\(path)/\($0)", $0] }
        }

        // MARK: - The check

        private func recover(_ folder: TemporaryFolder, _ load: CrashLoad, _ place: Comment) throws {
            let service = try self.start(folder)
            let port = try service.waitForPort()
            try service.waitUntilReady(port: port)
            #expect(try LogFolder(path: folder.file("kv")).leftovers(isRunning: true) == [], place)
            try load.verify(port: port)
            try #require(load.ledger.totals.violations == [], place)
            #expect(try Compaction.run(port) == nil, place)
            try service.crash()
        }
    }
}
